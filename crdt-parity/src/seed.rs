//! The same choices on every run.

/// Fields of an entity.
pub const FIELDS: usize = 20;
/// Devices of both workloads.
pub const DEVICES: usize = 100;
/// Edits a device makes without a network.
pub const EDITS: usize = 10;

/// SplitMix64. Source: Steele, Lea and Flood, *Fast Splittable Pseudorandom Number Generators*, 2014.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound as u64) as usize
    }

    /// Ten letters and digits: what a value is here.
    pub fn text(&mut self) -> String {
        const SIGNS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..10).map(|_| char::from(SIGNS[self.below(36)])).collect()
    }
}

/// One change of one field.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Which entity.
    pub entity: usize,
    /// Which field, from 0.
    pub field: usize,
    /// The new value.
    pub value: String,
}

/// The value that a field has before anybody edits it.
pub fn first_value(entity: usize, field: usize) -> String {
    Random::new((entity * FIELDS + field) as u64 ^ 0x5eed).text()
}

/// The 16 bytes of an entity's id, as text.
pub fn id_of(entity: usize) -> String {
    format!("{:016x}", Random::new(entity as u64 ^ 0x1d).next_u64())
}

/// The name of a field, for those who write names.
pub fn field_name(field: usize) -> &'static str {
    const NAMES: [&str; FIELDS] = [
        "f01", "f02", "f03", "f04", "f05", "f06", "f07", "f08", "f09", "f10", "f11", "f12", "f13",
        "f14", "f15", "f16", "f17", "f18", "f19", "f20",
    ];
    NAMES[field]
}

/// What one device does without a network, in order.
pub fn edits_of(device: usize, entities: usize, edits: usize) -> Vec<Edit> {
    let mut random = Random::new(device as u64 ^ 0xed17);
    let edit = |_| Edit {
        entity: random.below(entities),
        field: random.below(FIELDS),
        value: random.text(),
    };
    (0..edits).map(edit).collect()
}
