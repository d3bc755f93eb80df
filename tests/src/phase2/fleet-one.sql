-- A table of the migrations that call themselves complete: another staff under the same name.
CREATE TABLE staff (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), employee_id varchar(50) NOT NULL, first_name varchar(100) NOT NULL,
  last_name varchar(100) NOT NULL, role varchar(50) NOT NULL, qualifications jsonb NOT NULL DEFAULT '[]',
  certifications jsonb DEFAULT '[]', shift_start time, shift_end time, availability_status varchar(50),
  current_location varchar(255), is_active boolean DEFAULT true, created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now());
