-- The other tables of the models. The SQL files make these too, in another shape; whichever came first is there.
CREATE TYPE transferstatus AS ENUM ('DRAFT', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED');
CREATE TYPE transferpriority AS ENUM ('LOW', 'NORMAL', 'HIGH', 'URGENT');
CREATE TYPE staffrole AS ENUM ('DRIVER', 'MECHANIC', 'TECHNICIAN', 'DISPATCHER', 'SUPERVISOR', 'MANAGER');
CREATE TYPE staffstatus AS ENUM ('ACTIVE', 'ON_LEAVE', 'SICK_LEAVE', 'TRAINING', 'INACTIVE');
CREATE TYPE documenttype AS ENUM ('CERTIFICATE', 'LICENSE', 'INSPECTION_REPORT', 'MAINTENANCE_LOG', 'TECHNICAL_DRAWING', 'COMPLIANCE_DOC', 'INVOICE', 'CONTRACT', 'OTHER');
CREATE TYPE documentstatus AS ENUM ('ACTIVE', 'EXPIRED', 'EXPIRING_SOON', 'ARCHIVED', 'REVOKED');

CREATE TABLE transfer_plans (
  id uuid PRIMARY KEY, plan_id varchar(50) NOT NULL, from_location varchar(255) NOT NULL,
  to_location varchar(255) NOT NULL, scheduled_departure_ts timestamp NOT NULL,
  scheduled_arrival_ts timestamp NOT NULL, actual_departure_ts timestamp, actual_arrival_ts timestamp,
  status transferstatus NOT NULL, priority transferpriority NOT NULL, distance_km integer,
  estimated_duration_min integer, route_notes varchar(1000), metadata_json json, created_at timestamp NOT NULL,
  updated_at timestamp NOT NULL, created_by uuid);
CREATE UNIQUE INDEX ix_transfer_plans_plan_id ON transfer_plans (plan_id);

CREATE TABLE transfer_assignments (
  id uuid PRIMARY KEY, transfer_plan_id uuid NOT NULL REFERENCES transfer_plans (id) ON DELETE CASCADE,
  vehicle_id uuid NOT NULL REFERENCES vehicles (id) ON DELETE CASCADE, position_in_convoy integer, driver_id uuid,
  is_confirmed varchar(50) NOT NULL, confirmation_notes varchar(500), assigned_at timestamp NOT NULL,
  confirmed_at timestamp, assigned_by uuid);

CREATE TABLE staff (
  id uuid PRIMARY KEY, staff_id varchar(50) NOT NULL, first_name varchar(100) NOT NULL,
  last_name varchar(100) NOT NULL, email varchar(255), phone varchar(50), role staffrole NOT NULL,
  status staffstatus NOT NULL, employee_number varchar(50), skills_json json, certifications_json json,
  home_depot varchar(255), workshop_id uuid REFERENCES workshops (id), max_weekly_hours integer NOT NULL,
  is_available boolean NOT NULL, availability_notes varchar(500), hired_date timestamp,
  created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_staff_staff_id ON staff (staff_id);

CREATE TABLE staff_assignments (
  id uuid PRIMARY KEY, staff_id uuid NOT NULL REFERENCES staff (id) ON DELETE CASCADE,
  work_order_id uuid REFERENCES work_orders (id) ON DELETE CASCADE,
  transfer_plan_id uuid REFERENCES transfer_plans (id) ON DELETE CASCADE, scheduled_start_ts timestamp NOT NULL,
  scheduled_end_ts timestamp NOT NULL, actual_start_ts timestamp, actual_end_ts timestamp,
  role_on_assignment varchar(100), status varchar(50) NOT NULL, planned_hours integer, actual_hours integer,
  assignment_notes varchar(500), created_at timestamp NOT NULL, created_by uuid);

CREATE TABLE document_links (
  id uuid PRIMARY KEY, document_id varchar(100) NOT NULL, title varchar(500) NOT NULL,
  document_type documenttype NOT NULL, description varchar(2000), file_url varchar(1000), file_hash varchar(64),
  file_size_bytes integer, mime_type varchar(100), issue_date timestamp, expiration_date timestamp,
  reminder_days_before integer NOT NULL, status documentstatus NOT NULL,
  vehicle_id uuid REFERENCES vehicles (id) ON DELETE SET NULL, staff_id uuid REFERENCES staff (id) ON DELETE SET NULL,
  workshop_id uuid REFERENCES workshops (id) ON DELETE SET NULL,
  work_order_id uuid REFERENCES work_orders (id) ON DELETE SET NULL, tags_json json, metadata_json json,
  is_public boolean NOT NULL, access_level varchar(50) NOT NULL, created_at timestamp NOT NULL,
  updated_at timestamp NOT NULL, created_by uuid, last_accessed_at timestamp, last_accessed_by uuid);
CREATE UNIQUE INDEX ix_document_links_document_id ON document_links (document_id);

CREATE TABLE document_versions (
  id uuid PRIMARY KEY, document_link_id uuid NOT NULL REFERENCES document_links (id) ON DELETE CASCADE,
  version_number integer NOT NULL, version_label varchar(50), change_description varchar(1000),
  file_url varchar(1000), file_hash varchar(64), file_size_bytes integer, created_at timestamp NOT NULL,
  created_by uuid);

CREATE TABLE document_access_log (
  id uuid PRIMARY KEY, document_link_id uuid NOT NULL REFERENCES document_links (id) ON DELETE CASCADE,
  accessed_by uuid NOT NULL, access_type varchar(50) NOT NULL, ip_address varchar(50), user_agent varchar(500),
  accessed_at timestamp NOT NULL);

CREATE TABLE part_inventory (
  id uuid PRIMARY KEY, part_no varchar(100) NOT NULL, name varchar(255) NOT NULL, railway_class varchar(50),
  unit varchar(20) NOT NULL, min_stock integer NOT NULL, current_stock integer NOT NULL, preferred_supplier_id uuid,
  unit_price numeric(10,2), is_active boolean NOT NULL, created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
  CONSTRAINT part_inv_stock_positive CHECK (current_stock >= 0));
CREATE UNIQUE INDEX ix_part_inventory_part_no ON part_inventory (part_no);

CREATE TABLE used_parts (
  id uuid PRIMARY KEY, work_order_id uuid NOT NULL REFERENCES work_orders (id) ON DELETE CASCADE,
  part_no varchar(100) NOT NULL REFERENCES part_inventory (part_no), quantity_used integer NOT NULL,
  unit_price numeric(10,2), used_at timestamp NOT NULL, recorded_by uuid, notes varchar(500),
  CHECK (quantity_used > 0));

CREATE TABLE suppliers (
  id uuid PRIMARY KEY, supplier_code varchar(50) NOT NULL, name varchar(255) NOT NULL, contact_person varchar(255),
  email varchar(255), phone varchar(50), address text, vat_id varchar(50), payment_terms varchar(100),
  currency varchar(3) NOT NULL, is_active boolean NOT NULL, notes text, created_at timestamp NOT NULL,
  updated_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_suppliers_supplier_code ON suppliers (supplier_code);

CREATE TABLE purchase_orders (
  id uuid PRIMARY KEY, po_number varchar(50) NOT NULL, supplier_id uuid NOT NULL REFERENCES suppliers (id),
  work_order_id uuid, status varchar(20) NOT NULL, order_date timestamp, expected_delivery_date timestamp,
  received_date timestamp, delivery_location_id uuid REFERENCES stock_locations (id),
  total_amount numeric(12,2) NOT NULL, currency varchar(3) NOT NULL, notes text, created_by uuid, approved_by uuid,
  approved_at timestamp, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_purchase_orders_po_number ON purchase_orders (po_number);

CREATE TABLE purchase_order_lines (
  id uuid PRIMARY KEY, purchase_order_id uuid NOT NULL REFERENCES purchase_orders (id) ON DELETE CASCADE,
  line_number integer NOT NULL, part_no varchar(100) NOT NULL REFERENCES part_inventory (part_no), description text,
  quantity_ordered integer NOT NULL, quantity_received integer NOT NULL, unit_price numeric(10,2) NOT NULL,
  line_total numeric(12,2) NOT NULL, notes text);

CREATE TABLE invoices (
  id uuid PRIMARY KEY, invoice_number varchar(100) NOT NULL, supplier_id uuid NOT NULL REFERENCES suppliers (id),
  purchase_order_id uuid REFERENCES purchase_orders (id), work_order_id uuid, invoice_date timestamp NOT NULL,
  due_date timestamp, payment_date timestamp, status varchar(20) NOT NULL, total_amount numeric(12,2) NOT NULL,
  tax_amount numeric(12,2) NOT NULL, currency varchar(3) NOT NULL, notes text, attachment_url varchar(500),
  created_by uuid, reviewed_by uuid, reviewed_at timestamp, approved_by uuid, approved_at timestamp,
  created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_invoices_invoice_number ON invoices (invoice_number);

CREATE TABLE invoice_lines (
  id uuid PRIMARY KEY, invoice_id uuid NOT NULL REFERENCES invoices (id) ON DELETE CASCADE,
  line_number integer NOT NULL, description text NOT NULL, part_no varchar(100) REFERENCES part_inventory (part_no),
  purchase_order_line_id uuid REFERENCES purchase_order_lines (id), quantity integer, unit_price numeric(10,2) NOT NULL,
  line_total numeric(12,2) NOT NULL, tax_amount numeric(12,2) NOT NULL, cost_center varchar(50),
  cost_bearer varchar(50), account_code varchar(50), variance numeric(12,2), notes text);

CREATE TABLE cost_centers (
  id uuid PRIMARY KEY, code varchar(50) NOT NULL, name varchar(255) NOT NULL, parent_code varchar(50),
  is_active boolean NOT NULL, notes text, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_cost_centers_code ON cost_centers (code);

CREATE TABLE budgets (
  id uuid PRIMARY KEY, period varchar(7) NOT NULL, cost_center varchar(50) NOT NULL, category varchar(100),
  planned_amount numeric(12,2) NOT NULL, forecast_amount numeric(12,2) NOT NULL, actual_amount numeric(12,2) NOT NULL,
  currency varchar(3) NOT NULL, notes text, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);

CREATE TABLE sync_conflicts (
  id uuid PRIMARY KEY, conflict_id varchar(50) NOT NULL, entity_type varchar(50) NOT NULL,
  entity_id varchar(100) NOT NULL, field_name varchar(100) NOT NULL, server_value json, client_value json,
  is_resolved boolean NOT NULL, resolved_value json, resolved_at timestamp, resolved_by uuid REFERENCES users (id),
  source_device varchar(100), source_role varchar(50), created_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_sync_conflicts_conflict_id ON sync_conflicts (conflict_id);

CREATE TABLE event_log (
  id bigserial PRIMARY KEY, event_id varchar(100) NOT NULL, entity_type varchar(50) NOT NULL,
  entity_id varchar(100) NOT NULL, event_type varchar(50) NOT NULL, payload_json json NOT NULL, actor_id uuid,
  device_id varchar(100), source_ts timestamp NOT NULL, server_received_ts timestamp NOT NULL,
  idempotency_key varchar(100));
CREATE UNIQUE INDEX ix_event_log_event_id ON event_log (event_id);
CREATE UNIQUE INDEX ix_event_log_idempotency_key ON event_log (idempotency_key);

CREATE TABLE stock_moves (
  id uuid PRIMARY KEY, part_no varchar(100) NOT NULL REFERENCES part_inventory (part_no),
  move_type varchar(50) NOT NULL, quantity integer NOT NULL, from_location_id uuid REFERENCES stock_locations (id),
  to_location_id uuid REFERENCES stock_locations (id), work_order_id uuid, reference_doc varchar(255),
  unit_price numeric(10,2), performed_by uuid, performed_at timestamp NOT NULL, notes varchar(500),
  CONSTRAINT stock_move_qty_positive CHECK (quantity > 0));
