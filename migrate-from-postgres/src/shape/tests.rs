use super::*;

fn column(name: &str, type_name: &str) -> CatalogueColumn {
    CatalogueColumn {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        readable: true,
    }
}

/// A catalogue of one table.
fn with(table: &str, columns: &[(&str, &str)]) -> Catalogue {
    let columns = columns
        .iter()
        .map(|(name, type_name)| column(name, type_name))
        .collect();
    Catalogue::from([(table.to_owned(), columns)])
}

const COST_CENTERS: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("code", "varchar"),
    ("name", "varchar"),
    ("parent_code", "varchar"),
    ("created_at", "timestamptz"),
    ("is_active", "int4"),
    ("Sparte", "text"),
];

fn judged(
    catalogue: &Catalogue,
    only: &[&str],
    skip: &[&str],
    strict: bool,
) -> Result<Shape, ShapeError> {
    let names = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    let selection = Selection {
        only: names(only),
        skip: names(skip),
    };
    judge(catalogue, &selection, "me", strict)
}

#[test]
fn a_table_is_read_as_it_is() {
    let shape = judged(&with("cost_centers", COST_CENTERS), &[], &[], false).unwrap();
    assert_eq!(shape.missing.len(), 32);
    let found = &shape.tables[0];
    assert_eq!(found.absent, ["notes", "updated_at"]);
    assert_eq!(found.extra, ["Sparte"]);
    assert_eq!(
        found.select("", "t.id"),
        "SELECT t.\"id\", t.\"code\", t.\"name\", t.\"parent_code\", t.\"is_active\"::text, t.\"created_at\", \
         (SELECT row_to_json(x)::text FROM (SELECT t.\"Sparte\") x) FROM public.\"cost_centers\" t ORDER BY t.id"
    );
}

#[test]
fn what_is_not_phase_2_is_refused() {
    let refused = |catalogue: &Catalogue| judged(catalogue, &[], &[], false).unwrap_err();
    assert_eq!(refused(&with("films", COST_CENTERS)), ShapeError::NotPhase2);
    let one = [COST_CENTERS, &[("budget", "numeric")][..]].concat();
    let one: Vec<_> = one
        .into_iter()
        .filter(|(name, _)| *name != "parent_code")
        .collect();
    let refusal = refused(&with("cost_centers", &one)).to_string();
    assert!(
        refusal.contains("FLEET-ONE (budget instead of parent_code)"),
        "{refusal}"
    );
    let patched = [COST_CENTERS, &[("budget", "numeric")][..]].concat();
    assert!(
        judged(&with("cost_centers", &patched), &[], &[], false).is_ok(),
        "a column more is no other shape"
    );
    let refusal = refused(&with("cost_centers", &COST_CENTERS[..1]));
    assert!(matches!(refusal, ShapeError::MissingColumn { column, .. } if column == "code"));
}

#[test]
fn a_table_that_may_not_be_read_is_named() {
    let mut catalogue = with("cost_centers", COST_CENTERS);
    catalogue.get_mut("cost_centers").unwrap()[2].readable = false;
    let refusal = judged(&catalogue, &[], &[], false).unwrap_err().to_string();
    assert!(
        refusal.contains("GRANT SELECT ON cost_centers TO me"),
        "{refusal}"
    );
    assert!(
        judged(&catalogue, &[], &["cost_centers"], false)
            .unwrap()
            .tables
            .is_empty()
    );
}

#[test]
fn selections_are_held_against_what_there_is() {
    let catalogue = with("cost_centers", COST_CENTERS);
    let refused =
        |only: &[&str], skip: &[&str], strict| judged(&catalogue, only, skip, strict).unwrap_err();
    assert_eq!(
        refused(&["costs"], &[], false),
        ShapeError::UnknownTable("costs".into())
    );
    assert_eq!(
        refused(&[], &["costs"], false),
        ShapeError::UnknownTable("costs".into())
    );
    assert_eq!(
        refused(&["vehicles"], &[], false),
        ShapeError::MissingTable("vehicles".into())
    );
    assert!(matches!(refused(&[], &[], true), ShapeError::Incomplete(_)));
    let only = judged(&catalogue, &["cost_centers"], &[], true).unwrap();
    assert_eq!((only.tables.len(), only.missing.len()), (1, 0));
    let shape = judged(&catalogue, &[], &["cost_centers"], false).unwrap();
    assert_eq!(
        (shape.tables.len(), shape.left_out),
        (0, vec!["cost_centers"])
    );
}
