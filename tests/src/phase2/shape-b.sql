-- What SQL files 01 to 10 make behind the models' base tables: words as text with a CHECK, times with a zone, jsonb,
-- defaults, triggers and rules.
CREATE FUNCTION touch_updated_at() RETURNS trigger AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$ LANGUAGE plpgsql;

ALTER TABLE work_orders
  ADD COLUMN duration_min integer DEFAULT 0, ADD COLUMN required_skills jsonb DEFAULT '[]',
  ADD COLUMN required_parts jsonb DEFAULT '[]', ADD COLUMN incompatible_assets jsonb DEFAULT '[]',
  ADD COLUMN earliest_start_ts timestamptz, ADD COLUMN latest_end_ts timestamptz,
  ADD COLUMN hard_deadline_ts timestamptz;

CREATE TABLE tracks (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), track_id varchar(50) NOT NULL UNIQUE, name varchar(200) NOT NULL,
  workshop_id uuid REFERENCES workshops (id) ON DELETE CASCADE, location varchar(255),
  capabilities jsonb DEFAULT '[]', is_active boolean DEFAULT true, created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now());
CREATE TABLE track_availability (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), track_id uuid REFERENCES tracks (id) ON DELETE CASCADE,
  start_ts timestamptz NOT NULL, end_ts timestamptz NOT NULL, is_available boolean DEFAULT true, reason varchar(255),
  created_at timestamptz DEFAULT now(), CONSTRAINT track_avail_valid CHECK (end_ts > start_ts));
CREATE TABLE teams (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), team_id varchar(50) NOT NULL UNIQUE, name varchar(200) NOT NULL,
  workshop_id uuid REFERENCES workshops (id) ON DELETE CASCADE, skills jsonb DEFAULT '[]',
  max_concurrent_work_orders integer DEFAULT 1, is_active boolean DEFAULT true, created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now());
CREATE TABLE team_availability (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), team_id uuid REFERENCES teams (id) ON DELETE CASCADE,
  start_ts timestamptz NOT NULL, end_ts timestamptz NOT NULL, is_available boolean DEFAULT true,
  shift_type varchar(50), notes varchar(500), created_at timestamptz DEFAULT now(),
  CONSTRAINT team_avail_valid CHECK (end_ts > start_ts));
CREATE TABLE solver_solutions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), solution_id uuid NOT NULL UNIQUE, solver_status varchar(50),
  objective_value numeric(12,2), solve_time_sec numeric(8,3), total_work_orders integer, scheduled_count integer,
  unscheduled_count integer, problem_spec jsonb, created_at timestamptz DEFAULT now(), created_by uuid);
CREATE TABLE wo_assignment (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), work_order_id uuid REFERENCES work_orders (id) ON DELETE CASCADE,
  solution_id uuid, track_id uuid REFERENCES tracks (id), team_id uuid REFERENCES teams (id),
  scheduled_start_ts timestamptz NOT NULL, scheduled_end_ts timestamptz NOT NULL, start_slot integer,
  end_slot integer, status varchar(50) DEFAULT 'SCHEDULED', created_at timestamptz DEFAULT now(), created_by uuid,
  CONSTRAINT wo_assign_valid CHECK (scheduled_end_ts > scheduled_start_ts));
CREATE TABLE audit_log (
  id bigserial PRIMARY KEY, entity_type varchar(50) NOT NULL, entity_id varchar(100) NOT NULL,
  action varchar(50) NOT NULL, old_value_json jsonb, new_value_json jsonb, actor_id uuid, actor_role varchar(50),
  actor_ip varchar(45), timestamp timestamptz DEFAULT now(), reason text);
CREATE RULE audit_log_no_update AS ON UPDATE TO audit_log DO INSTEAD NOTHING;
CREATE RULE audit_log_no_delete AS ON DELETE TO audit_log DO INSTEAD NOTHING;
