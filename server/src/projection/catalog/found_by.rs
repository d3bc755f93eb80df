//! What a row is found by, made from its state: the bridge between [`fleet::listing`] and the indexes.

use fleet::Folded;
use fleet::listing::row_uuid;
use fleet::schema::AggregateSchema;

/// What a row is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundBy {
    /// Whether it exists. One that is deleted is found by nothing, but the numbers in its keys are not given again.
    pub(super) exists: bool,
    /// Its UUID, where its aggregate id is another.
    pub(super) alias: Option<u128>,
    /// Its business key, where it began under another, which is its aggregate id.
    pub(super) new_key: Option<Box<str>>,
    /// The value of each of the listing's keys.
    pub(super) keys: Box<[Box<str>]>,
    /// The value of each of the listing's filters; empty: none.
    pub(super) filters: Box<[Box<str>]>,
    /// The bytes of each of the listing's orders; one for a listing without.
    pub(super) sorts: Box<[Box<[u8]>]>,
    /// What each of the listing's searches looks into: lines in lower case.
    pub(super) texts: Box<[Box<str>]>,
}

impl FoundBy {
    /// Of the aggregate with this id; `None` when there is nothing to know of it.
    pub(super) fn of(
        aggregate: &AggregateSchema,
        aggregate_id: &str,
        folded: &Folded,
    ) -> Option<Self> {
        let listing = &aggregate.listing;
        let keys = listing.keys.iter();
        let keys = keys.map(|key| folded.text(key).unwrap_or_default().into());
        if folded.record.is_deleted() && !listing.keys.is_empty() {
            return Some(FoundBy {
                keys: keys.collect(),
                ..FoundBy::default()
            });
        }
        if !folded.exists() {
            return None;
        }
        let uuid = row_uuid(aggregate.aggregate_type, aggregate_id, folded);
        let is_id = uuid::Uuid::try_parse(aggregate_id) == Ok(uuid);
        let name = aggregate.name_of(aggregate_id, folded);
        let filters = listing.filters.iter();
        let searches = listing.searches.iter();
        let orders = 0..listing.orders.len().max(1);
        Some(FoundBy {
            exists: true,
            alias: (!is_id).then_some(uuid.as_u128()),
            new_key: (name != aggregate_id).then(|| name.into()),
            keys: keys.collect(),
            filters: filters
                .map(|filter| filter.of(folded).unwrap_or_default().into())
                .collect(),
            sorts: orders
                .map(|number| listing.order(number).bytes_of(folded))
                .collect(),
            texts: searches
                .map(|search| search.text_of(aggregate_id, folded).into())
                .collect(),
        })
    }
}
