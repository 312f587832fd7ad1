-- What dashboards show: the schema that an enqueue form is made from, and how late a worker's event loop was. Older workers
-- may go on: they leave both as they are.
ALTER TABLE :schema.definitions ADD COLUMN payload_schema text;
ALTER TABLE :schema.workers ADD COLUMN loop_delay_ms integer;
