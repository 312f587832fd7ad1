/**
 * Texts that run code where a page takes them for markup, script, style or an address: every way out of a place that a text
 * may stand in, before every way to run something there. What they run sets `globalThis.hacked`.
 */

/** Out of an element's text, a quoted or bare attribute, a comment, and elements whose text is not parsed as markup. */
const escapes = [
  "",
  `">`,
  "'>",
  "x ",
  "-->",
  "]]>",
  "</script>",
  "</style>",
  "</textarea>",
  "</title>",
  "</template></noscript>",
  "</svg></math>",
  "\\u003c/script\\u003e",
  '\\";',
  "${",
  "*/",
] as const;

const code = "globalThis.hacked=1";
const entities = [...code].map((letter) => `&#${letter.codePointAt(0)};`).join("");

const deeds = [
  // Elements that load something, or are told of something.
  `<script>${code}</script>`,
  `<sCrIpT\n>${code}</ScRiPt\t>`,
  `<script src="data:text/javascript,${code}"></script>`,
  `<img src=x onerror=${code}>`,
  `<img/src="x"/onerror="${entities}">`,
  `<svg onload=${code}>`,
  `<svg><script href="data:,${code}"/></svg>`,
  `<svg><animate onbegin=${code} attributeName=x dur=1s>`,
  `<video><source onerror="${code}"></video>`,
  `<audio src=x onerror='${code}'></audio>`,
  `<details open ontoggle=${code}>x</details>`,
  `<input autofocus onfocus=${code}>`,
  `<select autofocus onfocus="${code}"></select>`,
  `<body onload=${code}>`,
  `<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>`,
  `<iframe src="javascript:parent.hacked=1"></iframe>`,
  `<object data="data:text/html,<script>${code}</script>"></object>`,
  `<embed src="javascript:${code}">`,
  `<link rel=stylesheet href="data:text/css,*{}" onload=${code}>`,
  `<style onload=${code}>*{color:red}</style>`,
  `<meta http-equiv=refresh content="0;url=javascript:${code}">`,
  `<base href="//evil.example/"><a href=x>x</a>`,
  `<form action="javascript:${code}"><button autofocus>x</button></form>`,
  `<math><mtext></form><form><mglyph><style></math><img src onerror=${code}>`,
  `<noscript><p title="</noscript><img src=x onerror=${code}>">`,
  // Addresses.
  `javascript:${code}`,
  `JaVaScRiPt&colon;${code}`,
  `\u0001java\tscript:${code}`,
  `data:text/html;base64,${btoa(`<script>${code}</script>`)}`,
  // Attributes of the element that one is in.
  ` onmouseover=${code} onfocus=${code} autofocus tabindex=0 style=position:fixed;inset:0 `,
  // Templates and scripts.
  `{{constructor.constructor("${code}")()}}`,
  `\${${code}}-alert(1)//`,
  `;${code}//`,
] as const;

export const hostileTexts: readonly string[] = escapes.flatMap((out) => deeds.map((deed) => out + deed));
