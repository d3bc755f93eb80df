use super::*;

#[test]
fn what_comes_late_lands_where_it_belongs() {
    let mut vehicle = VehicleFacts::default();
    let since = StandingSince::new;
    vehicle.stands(since(10, 1, Standing::Ready));
    vehicle.stands(since(30, 2, Standing::Down));
    vehicle.stands(since(20, 3, Standing::Running));
    vehicle.stands(since(30, 4, Standing::Ready));
    let order: Vec<_> = vehicle
        .standings
        .iter()
        .map(StandingSince::position)
        .collect();
    assert_eq!(order, [1, 3, 2, 4]);
}

#[test]
fn every_status_has_one_standing() {
    for (status, standing) in [
        ("available", Standing::Ready),
        ("in_service", Standing::Running),
        ("workshop_planned", Standing::Ready),
        ("in_workshop", Standing::Down),
        ("out_of_service", Standing::Failed),
        ("maintenance_due", Standing::Down),
        ("retired", Standing::NotRequired),
        ("lost in space", Standing::NotRequired),
    ] {
        assert_eq!(Standing::of_status(status), standing, "{status}");
    }
}
