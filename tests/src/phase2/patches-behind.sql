-- Types changed by hand once the tables were full.
ALTER TABLE staff ALTER COLUMN status TYPE varchar(50) USING lower(status::text);
ALTER TABLE staff ALTER COLUMN hired_date TYPE date;
ALTER TABLE suppliers ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC';
ALTER TABLE transfer_plans ALTER COLUMN metadata_json TYPE text;
ALTER TABLE vehicles ALTER COLUMN year TYPE varchar(10);
ALTER TABLE workshops ALTER COLUMN is_active TYPE integer USING is_active::integer;
ALTER TABLE workshops ALTER COLUMN rating TYPE numeric;
ALTER TABLE maintenance_tasks ALTER COLUMN due_mileage_km TYPE numeric;
ALTER TABLE document_links DROP COLUMN mime_type;
ALTER TABLE budgets ALTER COLUMN forecast_amount TYPE double precision;
CREATE DOMAIN part_number AS varchar(100);
ALTER TABLE stock_moves ALTER COLUMN part_no TYPE part_number;
