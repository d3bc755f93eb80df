use std::collections::HashSet;

use super::*;

#[test]
fn every_name_stands_once() {
    let names: HashSet<_> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!((names.len(), TABLES.len()), (33, 33));
    for table in TABLES {
        let columns: HashSet<_> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(columns.len(), table.columns.len(), "{}", table.name);
        assert_eq!(table.place(table.key), 0, "{}", table.name);
        assert!(table.columns.len() <= 64, "columns fit into a set of bits");
        for needed in table.needed {
            assert!(columns.contains(needed), "{}.{needed}", table.name);
        }
        if let Some(other) = table.fleet_one {
            assert!(columns.contains(other.instead_of), "{}", table.name);
            assert!(
                other.has.iter().all(|name| !columns.contains(name)),
                "{}",
                table.name
            );
        }
    }
}
