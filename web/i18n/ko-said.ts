/**
 * What the server says, in Korean: the sentences of objections, hints and completions, and a sentence for each code of a
 * refusal. `{}` stands for what is put into a sentence; `{0}` and `{1}` for it in the other language.
 */

/** From the server's words; what stands in no table is shown as it came. */
export function said(text: string): string {
  const known = sentence(text) ?? sentence(text.replace(/\.$/, ""));
  if (known !== undefined) return known;
  const [, field, problem] = /^([^\s:]+): (.+)$/su.exec(text) ?? [];
  return problem === undefined ? text : `${field}: ${said(problem)}`;
}

/** A refusal by its code, unless its own sentence is known. The problems that the code lists are data of the program. */
export function refusal(code: string, message: string, issues: readonly string[] = []): string {
  const known = sentence(message) ?? refusals[code];
  if (known === undefined) return message;
  return issues.length > 0 ? `${known} ${issues.join("; ")}` : known;
}

export const sentences: readonly [english: string, korean: string][] = [
  ["the query has {} characters; at most {} are taken", "검색식이 {0}자입니다. {1}자까지 쓸 수 있습니다"],
  [
    "the \\ at the end escapes nothing; write \\\\ for the sign itself",
    "끝의 \\ 뒤에 글자가 없습니다. \\ 자체를 찾으려면 \\\\로 쓰세요",
  ],
  ["the quotation mark is never closed", "따옴표가 닫히지 않았습니다"],
  [
    "a space is missing before {}, or quotes around the whole",
    "{0} 앞에 공백을 넣거나 전체를 따옴표로 묶으세요",
  ],
  ["parentheses are nested more than {} deep", "괄호가 {0}겹을 넘습니다"],
  ["a value is missing after the comparison", "비교 기호 뒤에 값이 없습니다"],
  ["a value is missing after the comma", "쉼표 뒤에 값이 없습니다"],
  [
    "a list of values has no parentheses; write it like status:failed,cancelled",
    "값 목록에는 괄호를 쓰지 않습니다. status:failed,cancelled처럼 쓰세요",
  ],
  [
    "the value must stand right after the colon, without a space; in quotes if it has spaces itself",
    "값은 콜론 바로 뒤에 공백 없이 쓰세요. 값에 공백이 있으면 따옴표로 묶으세요",
  ],
  ["there is no value after the colon", "콜론 뒤에 값이 없습니다"],
  [
    "a list takes values only; join comparisons and ranges with OR",
    "목록에는 값만 쓸 수 있습니다. 비교와 범위는 OR로 이으세요",
  ],
  [
    "* stands at the end of a value; put one that is meant itself in quotes",
    "*는 값의 끝에만 씁니다. * 자체를 찾으려면 따옴표로 묶으세요",
  ],
  [
    "a range has two ends; put a value that has .. in it in quotes",
    "범위의 끝은 둘입니다. ..이 들어간 값은 따옴표로 묶으세요",
  ],
  [
    "{} cannot follow here; put the whole value in quotes",
    "여기에는 {0}을(를) 쓸 수 없습니다. 값 전체를 따옴표로 묶으세요",
  ],
  ["a term is missing in the parentheses", "괄호 안에 조건이 없습니다"],
  ["a closing parenthesis is missing", "닫는 괄호가 없습니다"],
  ["what is not wanted is missing here", "제외할 조건이 없습니다"],
  [
    'a term is missing after {}; to look for the word itself write "{}"',
    '{0} 뒤에 조건이 없습니다. 단어 자체를 찾으려면 "{1}"(으)로 쓰세요',
  ],
  [
    "this parenthesis closes nothing; put one that is meant itself in quotes",
    "짝이 없는 괄호입니다. 괄호 자체를 찾으려면 따옴표로 묶으세요",
  ],
  [
    '{} cannot stand here; to look for the word itself write "{}"',
    '여기에는 {0}을(를) 쓸 수 없습니다. 단어 자체를 찾으려면 "{1}"(으)로 쓰세요',
  ],
  ["a query has at most {} terms", "조건은 {0}개까지 쓸 수 있습니다"],
  [
    "it stands in more than {} levels of OR and NOT; write it flatter",
    "OR과 NOT이 {0}겹을 넘습니다. 더 단순하게 쓰세요",
  ],
  ["a path has at most {} keys", "경로는 키 {0}개까지 쓸 수 있습니다"],
  ["a list has at most {} values", "목록에는 값을 {0}개까지 쓸 수 있습니다"],
  ["with what is saved in it, it asks for too much. {}", "저장된 검색까지 합치면 조건이 너무 많습니다"],
  ["an empty text is in every task; take it away", "빈 글은 모든 태스크에 있습니다. 지우세요"],
  ["a key is missing between two dots, or before the colon", "두 점 사이나 콜론 앞에 키가 없습니다"],
  ["a saved search cannot stand in itself: {}", "저장된 검색은 자신을 포함할 수 없습니다: {0}"],
  [
    'no search is saved as "{}".{} To look for the text itself write "@{}"',
    '"{0}"(이)라는 저장된 검색이 없습니다. 글 자체를 찾으려면 "@{2}"(으)로 쓰세요',
  ],
  ["saved searches stand in one another more than {} deep", "저장된 검색이 {0}겹을 넘습니다"],
  ["more than {} saved searches stand in it", "저장된 검색이 {0}개를 넘습니다"],
  ["@{} cannot be read: {}", "@{0}을(를) 읽을 수 없습니다: {1}"],
  ['text takes one text, such as text:"rate limit"', 'text에는 text:"rate limit"처럼 글 하나만 씁니다'],
  [
    "sort takes one of {}, with + before it for the least or oldest first, or - for the greatest or latest",
    "sort에는 {0} 가운데 하나를 씁니다. 앞에 +를 붙이면 작거나 오래된 것부터, -를 붙이면 크거나 늦은 것부터입니다",
  ],
  [
    "* stands for how a text goes on; write a range such as 5..9 or >=5",
    "*는 글의 나머지를 뜻합니다. 5..9나 >=5처럼 범위로 쓰세요",
  ],
  [
    "* cannot stand in a comparison or a range; leave it out, or put it in quotes",
    "*는 비교나 범위에 쓸 수 없습니다. 빼거나 따옴표로 감싸세요",
  ],
  [
    "sort says the order of the whole search; write it once, outside of OR and NOT",
    "sort는 검색 전체의 순서입니다. OR과 NOT 밖에 한 번만 쓰세요",
  ],
  ["has takes the name of one field, such as has:error", "has에는 has:error처럼 항목 이름 하나를 씁니다"],
  [
    'there is no field "{}"; did you mean "{}"? For an attribute of that name write attribute.{}:',
    '"{0}" 항목은 없습니다. "{1}"인가요? 그런 이름의 속성은 attribute.{2}:(으)로 쓰세요',
  ],
  [
    "a beginning cannot stand in a list; join terms with OR: (type:a* OR type:b*)",
    "목록에는 앞부분(*)을 쓸 수 없습니다. OR로 이으세요: (type:a* OR type:b*)",
  ],
  [
    "only how a text begins can be asked for: * stands at the end of a value. One that is meant itself goes in quotes",
    "글의 앞부분만 물을 수 있어 *는 값의 끝에만 씁니다. * 자체를 찾으려면 따옴표로 묶으세요",
  ],
  [
    'a key with a dot in it cannot be asked for by a query; the option can: payload: { "a.b": … }',
    '점이 들어간 키는 검색식에 쓸 수 없습니다. 코드에서는 payload: { "a.b": … }로 쓰세요',
  ],
  [
    '"{}" is one moment; write >{} for what is after it, or <{} for before',
    '"{0}"은(는) 한 순간입니다. 그 뒤는 >{0}, 그 전은 <{0}(으)로 쓰세요',
  ],
  [
    '"{}" is too long; the longest is 36525d, 100 years',
    '"{0}"은(는) 너무 깁니다. 36525d(100년)까지 쓸 수 있습니다',
  ],
  [
    "it is in no order; give values, separated by commas",
    "크고 작음이 없는 항목입니다. 값을 쉼표로 나누어 쓰세요",
  ],
  ["a list is not taken here; use OR", "여기에는 목록을 쓸 수 없습니다. OR로 이으세요"],
  [
    "it takes the fingerprint of a group, or a message of it, as a whole",
    "묶음의 지문이나 그 오류 내용 전체를 씁니다",
  ],
  [
    'there is no status "{}"; there are pending, running, completed, failed and cancelled.{}',
    '"{0}" 상태는 없습니다. pending, running, completed, failed, cancelled가 있습니다. {1}',
  ],
  ["a range needs a value on one side of .. at least", "범위에는 .. 한쪽에라도 값이 있어야 합니다"],
  ["a range needs a time on one side of .. at least", "범위에는 .. 한쪽에라도 시각이 있어야 합니다"],
  ['"{}" is no number', '"{0}"은(는) 숫자가 아닙니다'],
  [
    '"{}" is no duration; write it like 500ms, 30s, 5m or 1h30m',
    '"{0}"은(는) 시간 길이가 아닙니다. 500ms, 30s, 5m, 1h30m처럼 쓰세요',
  ],
  [
    '"{}" is no time; write it like 2026-11-23, 2026-11-23T09:30, 2h (that long ago), +2h, today or monday',
    '"{0}"은(는) 시각이 아닙니다. 2026-11-23, 2026-11-23T09:30, 2h(그만큼 전), +2h, today, monday처럼 쓰세요',
  ],
  ["a list of times is not taken; use OR", "시각은 목록으로 쓸 수 없습니다. OR로 이으세요"],

  [
    "pending, running, completed, failed, cancelled",
    "pending, running, completed, failed, cancelled 중 상태",
  ],
  ["the definition's id", "정의의 ID"],
  ["the queue", "큐"],
  ["the task's id", "태스크의 ID"],
  ["one of its tags", "태그 가운데 하나"],
  ["when it was enqueued", "등록된 시각"],
  ["when it last changed", "마지막으로 바뀐 시각"],
  ["when its latest attempt started", "마지막 시도가 시작된 시각"],
  ["when it ended, however it ended", "어떻게든 끝난 시각"],
  ["when it may start", "시작할 수 있는 시각"],
  ["how long its latest attempt took", "마지막 시도가 걸린 시간"],
  ["from its creation to its latest start", "등록부터 마지막 시작까지"],
  ["attempts used", "사용한 시도 횟수"],
  ["attempts allowed", "허용된 시도 횟수"],
  ["higher goes first", "클수록 먼저"],
  ["how often a worker died under it", "실행 중 워커가 죽은 횟수"],
  ["part of its latest error's message", "마지막 오류 내용의 일부"],
  ["errors that say the same", "내용이 같은 오류 묶음"],
  ["part of its description", "설명의 일부"],
  ["the worker that has it, or had it last", "맡고 있거나 마지막으로 맡았던 워커"],
  ["its idempotency key", "멱등 키"],
  ["a place in the payload: payload.user.id", "페이로드 안의 위치: payload.user.id"],
  ["a place in the result: result.rows", "결과 안의 위치: result.rows"],
  ["an attribute by its whole name: attribute.userId", "전체 이름으로 쓴 속성: attribute.userId"],
  ["a field that has a value: has:result", "값이 있는 항목: has:result"],
  ["text anywhere in the task", "태스크 어디에나 있는 글"],
  ["the order: sort:updated, sort:+created", "순서: sort:updated, sort:+created"],
  ["an attribute", "속성"],
  ["a saved search", "저장된 검색"],
  ["in the last hour", "최근 1시간"],
  ["in the last 24 hours", "최근 24시간"],
  ["in the last 7 days", "최근 7일"],
  ["since midnight", "오늘 자정부터"],
  ["the whole day", "하루 전체"],
  ["the latest Monday, the whole day", "가장 가까운 지난 월요일 하루"],
  ["has a value", "값이 있음"],
  ["a value of this attribute", "이 속성의 값"],
  ["the least or oldest first", "작거나 오래된 것부터"],
  ["the last first", "뒤의 것부터"],
  ["the order of the tasks", "태스크의 순서"],
  ["a status", "상태"],
  ["a task", "태스크"],
  ["a type", "유형"],
  ["a queue", "큐"],
  ["a tag", "태그"],
  ["a worker on {}", "{0}의 워커"],
  ["the worker {} on {}", "{1}의 워커 {0}"],
  ["longer than", "이보다 오래"],
  ["or more", "이상"],
  ["so long", "이만큼"],
  ["a number", "숫자"],

  [
    "It is behind {} other {} of priority {} or higher.",
    "우선순위 {2} 이상인 다른 태스크 {0}개가 먼저 실행됩니다.",
  ],
  ["about {}", "약 {0}"],
  ["Every slot of its workers is taken: {} of {}.", "워커의 자리 {1}개 중 {0}개를 쓰고 있습니다."],
  [
    "It is the next to run, and every slot of its workers is taken: {} of {}.",
    "다음 차례이지만 워커의 자리 {1}개 중 {0}개를 쓰고 있습니다.",
  ],
  ["It is the next to run, and a worker has room for it.", "다음 차례이고, 빈 워커가 있습니다."],
  [
    "{} workers died while they ran it, so it is run alone, one such task at a time.",
    "실행하던 워커 {0}개가 죽어서, 이런 태스크는 한 번에 하나씩 따로 실행합니다.",
  ],
  [
    "It was taken back from {}, which died or was taken for dead.",
    "{0}이(가) 죽었거나 응답이 없어 되돌려 받은 태스크입니다.",
  ],
  ["It was given back by {}, which stopped.", "{0}이(가) 멈추면서 돌려준 태스크입니다."],
  ["worker {}", "워커 {0}"],
  [
    'No worker that runs defines "{}" and takes queue "{}". Start one that does: dure worker <files>.',
    '유형 "{0}"을(를) 정의하고 큐 "{1}"을(를) 맡은 실행 중인 워커가 없습니다. dure worker <파일>로 시작하세요.',
  ],

  [
    "The texts of about {} tasks are not indexed yet, and were not looked at. Ask again when running workers have indexed them, which the stats tell; or with no budget: then every task is looked at.{}",
    "태스크 약 {0}개의 글은 아직 색인되지 않아 확인하지 않았습니다. 실행 중인 워커가 색인한 뒤 다시 검색하세요.{1}",
  ],
  [
    "About {} tasks wait for an attribute to be filled in, and are judged without it. Ask again when running workers that define their types have done so, which the stats tell.{}",
    "이전 태스크 약 {0}개에는 속성이 아직 채워지지 않아, 없는 것으로 보고 검색했습니다. 유형을 정의한 워커가 채운 뒤 다시 검색하세요.{1}",
  ],
  ['No definition declares an attribute "{}".{}', '속성 "{0}"을(를) 선언한 정의가 없습니다. {1}'],
  ['No task "{}" is defined in this database.{}', '이 데이터베이스에는 "{0}" 태스크의 정의가 없습니다. {1}'],
  [
    "{} asks for messages that begin like this; {} asks for a part, wherever it stands.{}",
    "{0}은(는) 이렇게 시작하는 오류만 찾습니다. 일부로 찾으려면 {1}(으)로 쓰세요. {2}",
  ],
  [
    "{} is read as a place in it: what stands beside an operator must be operators, too.{}",
    "{0}은(는) 값 안의 자리로 읽힙니다. 연산자 옆에는 연산자만 쓸 수 있습니다. {1}",
  ],
  [
    '"{}" is read as a text to look for; write {} to join terms.{}',
    '"{0}"은(는) 찾을 글로 읽힙니다. 조건을 이으려면 {1}(으)로 쓰세요. {2}',
  ],
  ["{} is read as a text to look for; write {}.{}", "{0}은(는) 찾을 글로 읽힙니다. {1}(으)로 쓰세요. {2}"],
  [
    "* is looked for as a sign; a query without it finds all.{}",
    "*은 글자 그대로 찾습니다. 빼면 모두 찾습니다. {0}",
  ],
  [
    'Only straight quotes (") hold a text together; others are signs to look for.{}',
    '글은 곧은 따옴표(")로만 묶입니다. 다른 따옴표는 찾을 글자로 읽힙니다. {0}',
  ],
  ['"{}" is a type: type:{} asks for its tasks.{}', '"{0}"은(는) 유형입니다. type:{1}(으)로 찾으세요. {2}'],
  ['"{}" is the id of a task: id:{}.{}', '"{0}"은(는) 태스크의 ID입니다. id:{1}(으)로 찾으세요. {2}'],
  ["In the {} there is one: {}:… asks for it.{}", "{0}에는 있습니다. {1}:…(으)로 찾으세요. {2}"],
  ["It is called {} here: {}:….{}", "여기서는 {0}(이)라고 합니다. {1}:…(으)로 쓰세요. {2}"],
  [
    "A text is found wherever it stands, logs too, by itself in quotes.{}",
    "글은 로그까지 어디에 있든 따옴표로 묶어 그대로 찾습니다. {0}",
  ],
  [
    "{} is an option of the search, and no part of a query.{}",
    "{0}은(는) 검색의 옵션이며 검색식에는 쓰지 않습니다. {1}",
  ],
  ["A place in a list is written like {}:….{}", "목록 안의 자리는 {0}:…(으)로 씁니다. {1}"],
  ["Nothing is in a range that ends where it begins ({}).{}", "시작과 끝이 같은 범위입니다({0}). {1}"],
  ["Nothing is in a range that ends before it begins ({}).{}", "끝이 시작보다 앞선 범위입니다({0}). {1}"],
  ["Did you mean {}?{}", "혹시 {0}인가요? {1}"],
  [
    "Nothing but a look at each task tells which of them fit. Narrow it by status, type or a range of time, declare what you ask for as an attribute, or give it a longer budget.",
    "태스크를 하나씩 확인해야 하는 검색입니다. 상태, 유형, 기간으로 좁히거나 찾는 값을 속성으로 선언하세요.",
  ],
  [
    "Only the newest {} tasks that fit are ranked, or as many as the budget allows. Narrow it by status, type or a range of time to rank others.",
    "맞는 태스크 가운데 최신 {0}개까지만 관련도를 비교했습니다. 다른 태스크도 비교하려면 상태, 유형, 기간으로 좁히세요.",
  ],

  ["This needs the role {}; yours is {}.", "이 동작을 할 수 없는 권한입니다 ({0} 필요, 지금은 {1})."],
  [
    "This needs the right to see payloads. You may search by type, status, queue, id, times, attempts, priority and tags.",
    "페이로드를 볼 권한이 필요합니다. 유형, 상태, 큐, ID, 시각, 시도 횟수, 우선순위, 태그로는 검색할 수 있습니다.",
  ],
  [
    "This server does not know who is calling, or lets them see nothing here: its `authorize` answered null.",
    "이 서버에 로그인하지 않았거나 볼 권한이 없습니다.",
  ],
  [
    "That lets nobody in here (any more): a link opens once; dure dashboard --link prints another.",
    "여기서는 (더 이상) 통하지 않습니다. 링크는 한 번만 열립니다. dure dashboard --link로 새 링크를 받으세요.",
  ],
  [
    "What is shown as [redacted] is not searched by: places in payloads and results not at all, attributes by whole values only.",
    "[redacted]로 가려진 값으로는 검색할 수 없습니다. 페이로드와 결과의 값은 전혀, 속성은 전체 값으로만 찾을 수 있습니다.",
  ],
  [
    "This is a definition; enqueue a task of it instead.",
    "태스크 정의입니다. 이 정의로 태스크를 등록하세요.",
  ],
  [
    "{} is hidden, and what stood there cannot be told any more; write its value.",
    "{0} 값은 가려져 있어 원래 값을 알 수 없습니다. 값을 직접 쓰세요.",
  ],
  [
    "{} {}, but the action '{}' is for those that are {}.",
    "조건에 맞는 태스크는 있지만, '{2}' 작업은 {3} 상태인 태스크에만 할 수 있습니다.",
  ],
];

export const refusals: { readonly [code: string]: string } = {
  UNAUTHORIZED: "토큰으로 로그인하거나, dure dashboard --link가 출력하는 주소를 여세요.",
  FORBIDDEN: "이 동작을 할 권한이 없습니다.",
  NOT_FOUND: "그런 주소가 없습니다.",
  INVALID_REQUEST: "요청의 형식이 맞지 않습니다.",
  NOT_JSON: "JSON 형식이 아닙니다.",
  BODY_TOO_LARGE: "1 MiB보다 큰 내용은 보낼 수 없습니다.",
  WRONG_HOST: "이 이름으로는 열 수 없는 서버입니다. 출력된 주소를 여세요.",
  OTHER_ORIGIN: "변경은 대시보드에서만 할 수 있습니다.",
  TOO_MANY_ATTEMPTS: "잘못된 토큰이 너무 많았습니다. 1분 뒤에 다시 시도하세요.",
  TOO_MANY_STREAMS: "실시간 연결이 너무 많습니다. 다른 창을 닫으세요.",
  QUEUE_FULL: "대기열에 태스크가 가득 찼습니다. 잠시 뒤에 다시 시도하세요.",
  TOO_MANY_TASKS: "너무 많이 등록했습니다. 잠시 뒤에 다시 시도하세요.",
  UNEXPECTED: "서버에 문제가 생겼습니다. 서버 로그를 확인하세요.",
  INVALID_OPTION: "받을 수 없는 값이 있습니다.",
  INVALID_ID: "이름에 쓸 수 없는 글자가 있거나 너무 깁니다.",
  INVALID_PAYLOAD: "페이로드가 정의의 형식에 맞지 않습니다.",
  INVALID_QUERY: "검색식을 읽을 수 없습니다.",
  INVALID_CURSOR: "목록의 위치를 알 수 없습니다. 새로 고치세요.",
  VALUE_NOT_STORABLE: "저장할 수 없는 값이 있습니다.",
  VALUE_TOO_LARGE: "값이 너무 큽니다.",
  TASK_ALREADY_DEFINED: "같은 ID의 정의가 이미 있습니다.",
  TASK_NOT_DEFINED: "그런 정의가 없습니다.",
  TASK_NOT_FOUND: "그런 태스크가 없습니다.",
  SEARCH_NOT_FOUND: "그런 저장된 검색이 없습니다.",
  TASK_ID_TAKEN: "같은 ID의 태스크나 정의가 이미 있습니다.",
  IDEMPOTENCY_CONFLICT: "같은 멱등 키로 페이로드가 다른 태스크가 있습니다.",
  STATUS_CONFLICT: "지금 상태에서는 할 수 없는 변경입니다.",
  VERSION_CONFLICT: "그 사이에 태스크가 바뀌었습니다. 다시 확인하세요.",
  LEASE_LOST: "다른 워커가 맡은 태스크입니다.",
  WORKER_RUNNING: "워커가 실행 중이어서 할 수 없습니다.",
  WAIT_TIMEOUT: "제때 끝나지 않았습니다.",
  DATABASE_UNAVAILABLE: "데이터베이스가 응답하지 않습니다. 서버 로그를 확인하세요.",
  DATABASE_CORRUPT: "데이터베이스가 손상되었습니다. 서버 로그를 확인하세요.",
  DATABASE_FULL: "디스크나 데이터베이스가 가득 찼습니다.",
  DATABASE_READ_ONLY: "데이터베이스에 쓸 수 없습니다.",
  DATABASE_MOVED: "태스크가 다른 데이터베이스로 옮겨졌습니다.",
  COMMIT_UNKNOWN: "연결이 끊겨 변경되었는지 알 수 없습니다. 다시 확인하세요.",
  INSTANCE_CLOSED: "서버가 멈추는 중입니다.",
};

const byText = new Map(sentences.filter(([english]) => !english.includes("{}")));
const patterns = sentences
  .filter(([english]) => english.includes("{}"))
  .map(([english, korean]): [RegExp, string] => [patternOf(english), korean]);

function patternOf(english: string): RegExp {
  const parts = english.split("{}").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join("(.*?)")}$`, "su");
}

function sentence(text: string): string | undefined {
  const known = byText.get(text);
  if (known !== undefined) return known;
  for (const [pattern, korean] of patterns) {
    const match = pattern.exec(text);
    if (match)
      return korean.replaceAll(/\{(\d)\}/g, (_all, place) => translatedPart(match[Number(place) + 1]!));
  }
  return undefined;
}

/** A sentence may have another one in it. */
function translatedPart(text: string): string {
  return text.includes(" ") ? said(text.trim()) : text;
}
