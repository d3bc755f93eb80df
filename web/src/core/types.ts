// The rows of the public API that the pages show. Fields that a page does not show are left out.

export interface Vehicle {
  id: string;
  asset_id: string;
  model: string | null;
  type: string | null;
  manufacturer: string | null;
  year: number | null;
  status: string;
  current_location: string | null;
  home_depot: string | null;
  current_mileage_km: number | null;
  total_operating_hours: number | null;
  last_service_date: string | null;
  updated_at: string;
  incidents?: { failures: number; breakdowns: number; total: number; by_group: Record<string, number> };
}

export interface WorkOrder {
  id: string;
  order_number: string;
  vehicle_id: string;
  workshop_id: string | null;
  status: string;
  priority: string;
  scheduled_start: string | null;
  scheduled_end: string | null;
  actual_start: string | null;
  actual_end: string | null;
  assigned_track: string | null;
  assigned_team: string | null;
  work_description: string | null;
  work_performed: string | null;
  requires_release: boolean;
  released_at: string | null;
  release_notes: string | null;
  findings: string | null;
  tasks: string[] | null;
  checklist?: { item_id: string; text?: string; done?: boolean }[] | null;
  created_at: string;
}

export interface Task {
  id: string;
  vehicle_id: string;
  type: string;
  description: string | null;
  due_date: string | null;
  due_mileage_km: number | null;
  is_overdue: boolean;
  is_completed: boolean;
}

export interface Workshop {
  id: string;
  code: string;
  name: string;
  total_tracks: number;
  available_tracks: number;
}

export interface Track {
  track_id: string;
  name: string;
  workshop_id: string;
  is_active: boolean;
  availability?: { start_ts: string; end_ts: string; is_available: boolean }[];
}

export interface Part {
  id: string;
  part_no: string;
  name: string;
  unit: string;
  min_stock: number;
  current_stock: number;
  unit_price: string | null;
}

export interface Kpi {
  key: string;
  value: number | null;
  unit: string;
  /** Why there is no value. */
  reason: string | null;
  numerator: number;
  denominator: number;
  low: number | null;
  high: number | null;
  /** What is usually aimed at, where something is. */
  target: number | null;
  meets_target: boolean | null;
  trend: "improving" | "declining" | "stable" | "too_little_data";
  /** The last twelve months. */
  months: (number | null)[];
  definition: number;
}

export interface Kpis {
  position: number;
  from: string;
  to: string;
  kpis: Kpi[];
}

export interface Series {
  x: number[];
  /** Where each bucket begins and, last, where the last one ends: times of the depot with their offset. */
  edges: string[];
  series: { key: string; unit: string; values: (number | null)[] }[];
  position: number;
}

export interface Heat {
  rows: string[];
  cols: string[];
  /** As those of a series. */
  edges: string[];
  values: (number | null)[][];
  unit: string;
}
