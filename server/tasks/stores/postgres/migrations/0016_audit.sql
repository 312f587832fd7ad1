-- The audit log: who asked for which change, when, and from where. Older workers may go on; of what is asked of them there
-- is no record. Roles that were granted their rights by an older version need them again, or cannot cancel, retry, edit,
-- delete, pause and save any more.

CREATE TABLE :schema.audit (
  id text COLLATE "C" PRIMARY KEY,
  at bigint NOT NULL,
  action text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  type text COLLATE "C",
  who text COLLATE "C",
  via text COLLATE "C" NOT NULL,
  address text,
  request_id text,
  -- JSON.
  before text,
  after text
);

CREATE INDEX audit_at ON :schema.audit (at, id);
CREATE INDEX audit_target ON :schema.audit (target, at, id);
CREATE INDEX audit_who ON :schema.audit (who, at, id);
CREATE INDEX audit_action ON :schema.audit (action, at, id);

CREATE FUNCTION :schema.audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'A record of the audit log is never changed.'; END $$;

CREATE TRIGGER audit_stays BEFORE UPDATE ON :schema.audit
  FOR EACH STATEMENT EXECUTE FUNCTION :schema.audit_stays();
