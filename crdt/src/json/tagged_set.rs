//! The contract's set: additions with tags, and tombstones. Read from older clients, never kept.
//!
//! Its merge is the union of both, so tombstones grow for ever; that is why it is only a form to read. Each live tag
//! becomes an addition, each tombstone a removal of that addition.

use super::{JsonError, array, member, object, scalar, text};
use crate::entity::ValueType;
use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::value::Value;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Longest tag, in bytes (a UUID has 36).
const TAG_BYTES_MAX: usize = 128;

/// One addition of an element: its unique tag and its device.
type Tag<R> = (Value, String, R);

/// A two-set of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedSet<R: Ord> {
    added: BTreeSet<Tag<R>>,
    removed: BTreeSet<Tag<R>>,
}

impl<R: Ord> Default for TaggedSet<R> {
    fn default() -> Self {
        Self {
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
        }
    }
}

impl<R: Replica> TaggedSet<R> {
    /// The additions that no tombstone names: (element, tag, device), rising.
    pub fn live(&self) -> impl Iterator<Item = &(Value, String, R)> {
        self.added.difference(&self.removed)
    }

    /// The tombstones: (element, tag, device), rising.
    pub fn removed(&self) -> impl Iterator<Item = &(Value, String, R)> {
        self.removed.iter()
    }

    /// Whether an addition of `element` is alive.
    pub fn contains(&self, element: &Value) -> bool {
        self.live().any(|(held, _, _)| held == element)
    }

    /// Reads `{elements: {element: [[tag, device]]}, tombstones: [{element, unique_id, device_id}]}`.
    ///
    /// # Errors
    /// [`JsonError`] for another shape, or elements the type refuses.
    pub fn from_json(json: &Json, of: &ValueType) -> Result<Self, JsonError> {
        let map = object(json, "")?;
        let mut set = Self::default();
        for (name, tags) in object(member(map, "elements")?, "elements")? {
            let element =
                scalar::element_from_text(name, of).map_err(|error| error.inside("elements"))?;
            for pair in array(tags, name)? {
                let [tag, device] = array(pair, name)?.as_slice() else {
                    return Err(JsonError::at(name, "pairs of tag and device"));
                };
                set.added.insert((
                    element.clone(),
                    tag_of(tag, name)?,
                    super::replica(device, name)?,
                ));
            }
        }
        let Some(tombstones) = map.get("tombstones") else {
            return Ok(set);
        };
        for tombstone in array(tombstones, "tombstones")? {
            let tombstone = object(tombstone, "tombstones")?;
            let element = text(member(tombstone, "element")?, "element")?;
            let element = scalar::element_from_text(element, of)
                .map_err(|error| error.inside("tombstones"))?;
            let tag = tag_of(member(tombstone, "unique_id")?, "unique_id")?;
            let device = super::replica(member(tombstone, "device_id")?, "device_id")?;
            set.removed.insert((element, tag, device));
        }
        Ok(set)
    }
}

fn tag_of(json: &Json, path: &str) -> Result<String, JsonError> {
    let tag = text(json, path)?;
    if (1..=TAG_BYTES_MAX).contains(&tag.len()) {
        Ok(tag.to_owned())
    } else {
        Err(JsonError::at(path, "a tag"))
    }
}

impl<R: Replica> Lattice for TaggedSet<R> {
    fn join(&mut self, other: &Self) {
        self.added.extend(other.added.iter().cloned());
        self.removed.extend(other.removed.iter().cloned());
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.added.is_subset(&other.added) && self.removed.is_subset(&other.removed)
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        let added = self.added.iter().map(|tag| Self {
            added: BTreeSet::from([tag.clone()]),
            ..Self::default()
        });
        let removed = self.removed.iter().map(|tag| Self {
            removed: BTreeSet::from([tag.clone()]),
            ..Self::default()
        });
        Box::new(added.chain(removed))
    }
}
