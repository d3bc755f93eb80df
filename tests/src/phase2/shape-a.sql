-- The tables as the old program's models make them (SQLAlchemy create_all): native enums, times without a zone, json, no
-- defaults, a unique index for each unique column.
CREATE TYPE role AS ENUM ('SUPER_ADMIN', 'FLEET_MANAGER', 'WORKSHOP_MANAGER', 'DISPATCHER', 'TECHNICIAN', 'VIEWER');
CREATE TYPE vehicletype AS ENUM ('ELECTRIC', 'DIESEL', 'HYBRID');
CREATE TYPE vehiclestatus AS ENUM ('AVAILABLE', 'IN_SERVICE', 'WORKSHOP_PLANNED', 'IN_WORKSHOP', 'OUT_OF_SERVICE', 'MAINTENANCE_DUE', 'RETIRED');
CREATE TYPE maintenancetype AS ENUM ('HU', 'INSPECTION', 'ECM', 'REPAIR', 'PREVENTIVE');
CREATE TYPE workorderstatus AS ENUM ('DRAFT', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED');
CREATE TYPE workorderpriority AS ENUM ('LOW', 'MEDIUM', 'HIGH', 'URGENT');

CREATE TABLE users (
  id uuid PRIMARY KEY, username varchar(50) NOT NULL, email varchar(255) NOT NULL,
  hashed_password varchar(255) NOT NULL, role role NOT NULL, is_active boolean NOT NULL,
  created_at timestamp NOT NULL, updated_at timestamp NOT NULL, last_login timestamp);
CREATE UNIQUE INDEX ix_users_username ON users (username);
CREATE UNIQUE INDEX ix_users_email ON users (email);

CREATE TABLE workshops (
  id uuid PRIMARY KEY, code varchar(50) NOT NULL, name varchar(200) NOT NULL, location varchar(255) NOT NULL,
  contact_person varchar(200), phone varchar(50), email varchar(255), total_tracks integer NOT NULL,
  available_tracks integer NOT NULL, is_ecm_certified boolean NOT NULL, specializations json,
  supported_vehicle_types json, rating double precision, total_completed_orders integer NOT NULL,
  is_active boolean NOT NULL, notes varchar(1000), created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_workshops_code ON workshops (code);

CREATE TABLE vehicles (
  id uuid PRIMARY KEY, asset_id varchar(50) NOT NULL, model varchar(100) NOT NULL, type vehicletype NOT NULL,
  manufacturer varchar(100), year integer, status vehiclestatus NOT NULL, max_speed_kmh integer, power_kw integer,
  weight_tons double precision, current_mileage_km integer NOT NULL, total_operating_hours integer NOT NULL,
  current_location varchar(255), home_depot varchar(255), notes varchar(1000), specifications json,
  created_at timestamp NOT NULL, updated_at timestamp NOT NULL, last_service_date timestamp);
CREATE UNIQUE INDEX ix_vehicles_asset_id ON vehicles (asset_id);

CREATE TABLE maintenance_tasks (
  id uuid PRIMARY KEY, vehicle_id uuid NOT NULL REFERENCES vehicles (id), type maintenancetype NOT NULL,
  description varchar(500), due_date timestamp NOT NULL, due_mileage_km integer, is_overdue boolean NOT NULL,
  is_completed boolean NOT NULL, completed_at timestamp, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);

CREATE TABLE work_orders (
  id uuid PRIMARY KEY, order_number varchar(50) NOT NULL, vehicle_id uuid NOT NULL REFERENCES vehicles (id),
  workshop_id uuid REFERENCES workshops (id), status workorderstatus NOT NULL, priority workorderpriority NOT NULL,
  scheduled_start timestamp, scheduled_end timestamp, assigned_track varchar(50), assigned_team varchar(100),
  actual_start timestamp, actual_end timestamp, work_description varchar(1000), work_performed varchar(2000),
  findings varchar(2000), tasks json, estimated_cost double precision, actual_cost double precision,
  notes varchar(1000), created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_work_orders_order_number ON work_orders (order_number);

CREATE TABLE stock_locations (
  id uuid PRIMARY KEY, location_code varchar(50) NOT NULL, name varchar(255) NOT NULL,
  location_type varchar(50) NOT NULL, workshop_id uuid, address varchar(500), is_active boolean NOT NULL,
  created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE UNIQUE INDEX ix_stock_locations_location_code ON stock_locations (location_code);
