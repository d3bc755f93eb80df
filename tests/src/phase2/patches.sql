-- What a hand that patched the database left behind: a table with the other shape's types, constraints dropped so that
-- the traps fit in, columns that nobody knows, a view over it all.
ALTER TABLE part_inventory DROP CONSTRAINT part_inv_stock_positive;
ALTER TABLE stock_moves DROP CONSTRAINT stock_move_qty_positive;
ALTER TABLE vehicles ADD COLUMN "Radsatz Nr." text, ADD COLUMN telemetry jsonb, ADD COLUMN wear numeric;
ALTER TABLE work_orders ADD COLUMN sap_order bigint;
ALTER TABLE suppliers ADD COLUMN rating double precision;
DROP INDEX ix_vehicles_asset_id;
CREATE VIEW v_vehicle_availability AS SELECT status, count(*) FROM vehicles GROUP BY status;
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
INSERT INTO alembic_version VALUES ('007_complete');
CREATE TABLE shift_notes (id serial PRIMARY KEY, note text);
