-- The tables that both the models and the SQL files know, in the shape of the SQL files.
CREATE TABLE transfer_plans (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), plan_id varchar(50) NOT NULL UNIQUE,
  from_location varchar(255) NOT NULL, to_location varchar(255) NOT NULL, scheduled_departure_ts timestamptz NOT NULL,
  scheduled_arrival_ts timestamptz NOT NULL, actual_departure_ts timestamptz, actual_arrival_ts timestamptz,
  status varchar(50) NOT NULL DEFAULT 'draft', priority varchar(50) NOT NULL DEFAULT 'normal', distance_km integer,
  estimated_duration_min integer, route_notes varchar(1000), metadata_json jsonb, created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(), created_by uuid,
  CONSTRAINT transfer_plans_times CHECK (scheduled_arrival_ts > scheduled_departure_ts),
  CONSTRAINT transfer_plans_status CHECK (status IN ('draft', 'scheduled', 'in_progress', 'completed', 'cancelled')),
  CONSTRAINT transfer_plans_priority CHECK (priority IN ('low', 'normal', 'high', 'urgent')));
CREATE INDEX idx_transfer_plans_status ON transfer_plans (status);
CREATE TRIGGER transfer_plans_touch BEFORE UPDATE ON transfer_plans FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE transfer_assignments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), transfer_plan_id uuid REFERENCES transfer_plans (id) ON DELETE CASCADE,
  vehicle_id uuid REFERENCES vehicles (id) ON DELETE CASCADE, position_in_convoy integer, driver_id uuid,
  is_confirmed varchar(50) NOT NULL DEFAULT 'pending', confirmation_notes varchar(500),
  assigned_at timestamptz DEFAULT now(), confirmed_at timestamptz, assigned_by uuid,
  CONSTRAINT transfer_assignments_word CHECK (is_confirmed IN ('pending', 'confirmed', 'cancelled')));

CREATE TABLE staff (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), staff_id varchar(50) NOT NULL UNIQUE,
  first_name varchar(100) NOT NULL, last_name varchar(100) NOT NULL, email varchar(255), phone varchar(50),
  role varchar(50) NOT NULL CHECK (role IN ('driver', 'mechanic', 'technician', 'dispatcher', 'supervisor', 'manager')),
  status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'on_leave', 'sick_leave', 'training', 'inactive')),
  employee_number varchar(50), skills_json jsonb DEFAULT '[]', certifications_json jsonb DEFAULT '[]',
  home_depot varchar(255), workshop_id uuid REFERENCES workshops (id), max_weekly_hours integer NOT NULL DEFAULT 40,
  is_available boolean NOT NULL DEFAULT true, availability_notes varchar(500), hired_date timestamptz,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TRIGGER staff_touch BEFORE UPDATE ON staff FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE staff_assignments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), staff_id uuid NOT NULL REFERENCES staff (id) ON DELETE CASCADE,
  work_order_id uuid REFERENCES work_orders (id) ON DELETE CASCADE,
  transfer_plan_id uuid REFERENCES transfer_plans (id) ON DELETE CASCADE, scheduled_start_ts timestamptz NOT NULL,
  scheduled_end_ts timestamptz NOT NULL, actual_start_ts timestamptz, actual_end_ts timestamptz,
  role_on_assignment varchar(100), status varchar(50) NOT NULL DEFAULT 'scheduled', planned_hours integer,
  actual_hours integer, assignment_notes varchar(500), created_at timestamptz DEFAULT now(), created_by uuid,
  CONSTRAINT staff_assignments_times CHECK (scheduled_end_ts > scheduled_start_ts),
  CONSTRAINT staff_assignments_status CHECK (status IN ('scheduled', 'confirmed', 'in_progress', 'completed', 'cancelled')),
  CONSTRAINT staff_assignments_one CHECK ((work_order_id IS NULL) <> (transfer_plan_id IS NULL)));

CREATE TABLE document_links (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), document_id varchar(100) NOT NULL UNIQUE, title varchar(500) NOT NULL,
  document_type varchar(50) NOT NULL, description varchar(2000), file_url varchar(1000), file_hash varchar(64),
  file_size_bytes integer, mime_type varchar(100), issue_date timestamptz, expiration_date timestamptz,
  reminder_days_before integer NOT NULL DEFAULT 30, status varchar(50) NOT NULL DEFAULT 'active',
  vehicle_id uuid REFERENCES vehicles (id) ON DELETE SET NULL, staff_id uuid REFERENCES staff (id) ON DELETE SET NULL,
  workshop_id uuid REFERENCES workshops (id) ON DELETE SET NULL,
  work_order_id uuid REFERENCES work_orders (id) ON DELETE SET NULL, tags_json jsonb DEFAULT '[]',
  metadata_json jsonb DEFAULT '{}', is_public boolean NOT NULL DEFAULT false,
  access_level varchar(50) NOT NULL DEFAULT 'internal', created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(), created_by uuid, last_accessed_at timestamptz, last_accessed_by uuid,
  CONSTRAINT document_links_access CHECK (access_level IN ('public', 'internal', 'restricted', 'confidential')));
CREATE INDEX idx_document_links_tags ON document_links USING gin (tags_json);

CREATE TABLE document_versions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  document_link_id uuid NOT NULL REFERENCES document_links (id) ON DELETE CASCADE,
  version_number integer NOT NULL CHECK (version_number > 0), version_label varchar(50),
  change_description varchar(1000), file_url varchar(1000), file_hash varchar(64), file_size_bytes integer,
  created_at timestamptz DEFAULT now(), created_by uuid, UNIQUE (document_link_id, version_number));

CREATE TABLE document_access_log (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  document_link_id uuid NOT NULL REFERENCES document_links (id) ON DELETE CASCADE, accessed_by uuid NOT NULL,
  access_type varchar(50) NOT NULL CHECK (access_type IN ('view', 'download', 'edit', 'delete', 'share')),
  ip_address varchar(50), user_agent varchar(500), accessed_at timestamptz DEFAULT now());
CREATE RULE document_access_no_update AS ON UPDATE TO document_access_log DO INSTEAD NOTHING;
CREATE RULE document_access_no_delete AS ON DELETE TO document_access_log DO INSTEAD NOTHING;

CREATE TABLE part_inventory (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), part_no varchar(100) NOT NULL UNIQUE, name varchar(255) NOT NULL,
  railway_class varchar(50), unit varchar(20) DEFAULT 'pc', min_stock integer DEFAULT 0,
  current_stock integer DEFAULT 0, preferred_supplier_id uuid, unit_price numeric(10,2),
  is_active boolean DEFAULT true, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
  CONSTRAINT part_inv_stock_positive CHECK (current_stock >= 0));
CREATE INDEX idx_part_low_stock ON part_inventory (part_no) WHERE current_stock < min_stock;

CREATE TABLE part_availability (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), part_no varchar(100) REFERENCES part_inventory (part_no),
  available_qty integer NOT NULL CHECK (available_qty > 0), available_from_ts timestamptz NOT NULL,
  location varchar(255), reservation_work_order_id uuid, created_at timestamptz DEFAULT now());

CREATE TABLE used_parts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), work_order_id uuid REFERENCES work_orders (id) ON DELETE CASCADE,
  part_no varchar(100) REFERENCES part_inventory (part_no), quantity_used integer NOT NULL CHECK (quantity_used > 0),
  unit_price numeric(10,2), used_at timestamptz DEFAULT now(), recorded_by uuid, notes varchar(500));
CREATE FUNCTION take_from_stock() RETURNS trigger AS $$ BEGIN
  UPDATE part_inventory SET current_stock = current_stock - NEW.quantity_used WHERE part_no = NEW.part_no; RETURN NEW;
END $$ LANGUAGE plpgsql;
CREATE TRIGGER used_parts_stock AFTER INSERT ON used_parts FOR EACH ROW EXECUTE FUNCTION take_from_stock();

CREATE TABLE suppliers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), supplier_code varchar(50) NOT NULL UNIQUE, name varchar(255) NOT NULL,
  contact_person varchar(255), email varchar(255), phone varchar(50), address text, vat_id varchar(50),
  payment_terms varchar(100), currency varchar(3) NOT NULL DEFAULT 'EUR', is_active boolean NOT NULL DEFAULT true,
  notes text, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE purchase_orders (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), po_number varchar(50) NOT NULL UNIQUE,
  supplier_id uuid NOT NULL REFERENCES suppliers (id), work_order_id uuid,
  status varchar(20) NOT NULL DEFAULT 'DRAFT', order_date timestamptz, expected_delivery_date timestamptz,
  received_date timestamptz, delivery_location_id uuid REFERENCES stock_locations (id),
  total_amount numeric(12,2) NOT NULL DEFAULT 0, currency varchar(3) NOT NULL DEFAULT 'EUR', notes text,
  created_by uuid, approved_by uuid, approved_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE purchase_order_lines (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  purchase_order_id uuid NOT NULL REFERENCES purchase_orders (id) ON DELETE CASCADE, line_number integer NOT NULL,
  part_no varchar(100) NOT NULL REFERENCES part_inventory (part_no), description text,
  quantity_ordered integer NOT NULL CHECK (quantity_ordered > 0),
  quantity_received integer NOT NULL DEFAULT 0 CHECK (quantity_received >= 0), unit_price numeric(10,2) NOT NULL,
  line_total numeric(12,2) NOT NULL, notes text, UNIQUE (purchase_order_id, line_number));

CREATE TABLE invoices (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), invoice_number varchar(100) NOT NULL UNIQUE,
  supplier_id uuid NOT NULL REFERENCES suppliers (id), purchase_order_id uuid REFERENCES purchase_orders (id),
  work_order_id uuid, invoice_date timestamptz NOT NULL, due_date timestamptz, payment_date timestamptz,
  status varchar(20) NOT NULL DEFAULT 'DRAFT', total_amount numeric(12,2) NOT NULL,
  tax_amount numeric(12,2) NOT NULL DEFAULT 0, currency varchar(3) NOT NULL DEFAULT 'EUR', notes text,
  attachment_url varchar(500), created_by uuid, reviewed_by uuid, reviewed_at timestamptz, approved_by uuid,
  approved_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE invoice_lines (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), invoice_id uuid NOT NULL REFERENCES invoices (id) ON DELETE CASCADE,
  line_number integer NOT NULL, description text NOT NULL, part_no varchar(100) REFERENCES part_inventory (part_no),
  purchase_order_line_id uuid REFERENCES purchase_order_lines (id), quantity integer, unit_price numeric(10,2) NOT NULL,
  line_total numeric(12,2) NOT NULL, tax_amount numeric(12,2) NOT NULL DEFAULT 0, cost_center varchar(50),
  cost_bearer varchar(50), account_code varchar(50), variance numeric(12,2), notes text,
  UNIQUE (invoice_id, line_number));

CREATE TABLE cost_centers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code varchar(50) NOT NULL UNIQUE, name varchar(255) NOT NULL,
  parent_code varchar(50), is_active boolean NOT NULL DEFAULT true, notes text,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE budgets (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), period varchar(7) NOT NULL, cost_center varchar(50) NOT NULL,
  category varchar(100), planned_amount numeric(12,2) NOT NULL DEFAULT 0,
  forecast_amount numeric(12,2) NOT NULL DEFAULT 0, actual_amount numeric(12,2) NOT NULL DEFAULT 0,
  currency varchar(3) NOT NULL DEFAULT 'EUR', notes text, created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(), UNIQUE (period, cost_center, category));

CREATE TABLE sync_conflicts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), conflict_id varchar(100) NOT NULL UNIQUE,
  entity_type varchar(50) NOT NULL, entity_id varchar(100) NOT NULL, field_name varchar(100) NOT NULL,
  server_value jsonb, client_value jsonb, conflict_type varchar(50), is_resolved boolean DEFAULT false,
  resolved_value jsonb, resolved_at timestamptz, resolved_by uuid, source_device varchar(100),
  source_role varchar(50), source_event_id varchar(100), notes text, created_at timestamptz DEFAULT now());

CREATE TABLE event_log (
  id bigserial PRIMARY KEY CHECK (id > 0), event_id varchar(100) NOT NULL UNIQUE, entity_type varchar(50) NOT NULL,
  entity_id varchar(100) NOT NULL, event_type varchar(50) NOT NULL, payload_json jsonb NOT NULL, actor_id uuid,
  actor_role varchar(50), device_id varchar(100), source_ts timestamptz, server_received_ts timestamptz DEFAULT now(),
  idempotency_key varchar(100));
CREATE RULE event_log_no_update AS ON UPDATE TO event_log DO INSTEAD NOTHING;
CREATE RULE event_log_no_delete AS ON DELETE TO event_log DO INSTEAD NOTHING;

-- stock_moves is in no SQL file: the models make it, always.
CREATE TABLE stock_moves (
  id uuid PRIMARY KEY, part_no varchar(100) NOT NULL REFERENCES part_inventory (part_no),
  move_type varchar(50) NOT NULL, quantity integer NOT NULL, from_location_id uuid REFERENCES stock_locations (id),
  to_location_id uuid REFERENCES stock_locations (id), work_order_id uuid, reference_doc varchar(255),
  unit_price numeric(10,2), performed_by uuid, performed_at timestamp NOT NULL, notes varchar(500),
  CONSTRAINT stock_move_qty_positive CHECK (quantity > 0));
