use std::collections::BTreeSet;

use super::*;
use crate::tables::TABLES;

#[test]
fn every_table_belongs_to_one_family() {
    let mut mapped = Vec::new();
    for family in FAMILIES {
        mapped.push(family.parent.table.name);
        mapped.extend(family.children.iter().map(|child| child.mapping.table.name));
    }
    let known: BTreeSet<_> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!(mapped.len(), known.len());
    assert_eq!(mapped.into_iter().collect::<BTreeSet<_>>(), known);
}

#[test]
fn names_that_a_mapping_gives_are_columns() {
    for family in FAMILIES {
        let children = family.children.iter().map(|child| &child.mapping);
        for mapping in [&family.parent].into_iter().chain(children) {
            let renamed = mapping.renamed.iter().map(|(column, _)| column);
            for column in renamed.chain(mapping.implied) {
                mapping.table.place(column);
            }
        }
        family.parent.table.place(family.key);
        for child in family.children {
            child.mapping.table.place(child.refers_by);
            child.mapping.table.place(child.ordered_by);
        }
    }
}

#[test]
fn fields_are_those_that_the_domain_knows() {
    for family in FAMILIES {
        let mapping = &family.parent;
        if matches!(mapping.seen, Seen::Account | Seen::LogRow) {
            continue;
        }
        let aggregate = fleet::registry().aggregate(mapping.aggregate).unwrap();
        let known: BTreeSet<_> = aggregate
            .events
            .iter()
            .flat_map(|event| event.fields)
            .map(|field| field.name)
            .collect();
        for column in mapping.table.columns {
            let name = mapping.field_name(column.name);
            // The row's own times are welcome on any event, whether its table lists them or not.
            let is_known = name.is_empty() || known.contains(name) || name.ends_with("ated_at");
            assert!(is_known, "{} has no field {name}", mapping.aggregate);
        }
    }
}
