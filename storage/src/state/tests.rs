//! Saved tables: whole and of this log, or not at all.

use super::*;
use crate::names::Name;
use crate::repo::{MemoryRepo, RepoFile, View};

fn identity() -> StateIdentity {
    StateIdentity {
        log_id: Uuid::from_u128(5),
        segment: SegmentId::new(3),
        next: Position::new(100),
        chain: [4; 32],
    }
}

fn tables() -> Tables {
    let mut tables = Tables::new(None);
    tables.names.add_type(TypeNameOf::Aggregate, 0, "Vehicle");
    tables.names.add_type(TypeNameOf::Event, 0, "Created");
    tables.names.add_type(TypeNameOf::Event, 1, "Changed");
    for number in 0..3 {
        tables.names.add_stream(number, 0, &format!("v{number} ä"));
        let tip = StreamTip {
            version: Version::new(number + 1),
            position: Position::new(u64::from(number) * 10 + 1),
        };
        tables.advance(number, tip);
        tables.ids.insert(u128::from(number) + 1_000);
    }
    tables
}

fn saved() -> MemoryRepo {
    let repo = MemoryRepo::new();
    let tables = tables();
    let tips = RwLock::new(tables.tips);
    let bytes = save(&repo, &identity(), &tables.names, &tips, &tables.ids).unwrap();
    assert_eq!(bytes, repo.bytes("000000000003.state").len() as u64);
    assert_eq!(repo.list().unwrap(), ["000000000003.state"]);
    repo
}

#[test]
fn tables_come_back_as_they_were() {
    let loaded = load(&saved(), &identity()).unwrap();
    assert_eq!(loaded.tips, tables().tips);
    assert_eq!(
        loaded.names.types(TypeNameOf::Event),
        ["Created".into(), "Changed".into()]
    );
    let name = StreamName::new("Vehicle", "v2 ä");
    assert_eq!(loaded.names.stream_number(&name), Some(2));
    assert_eq!(loaded.names.stream_count(), 3);
    assert!((1_000..1_003).all(|id| loaded.ids.might_contain(id)));
    assert_eq!(loaded.ids.len(), 3);
}

/// What stood in for them was once taken for their names, of whatever type came first.
#[test]
fn lost_names_are_lost_to_who_loads_the_tables() {
    let names = Names::new(None);
    names.add_type(TypeNameOf::Aggregate, 0, "Vehicle");
    names.add_type(TypeNameOf::Event, 1, "Created");
    names.add_stream(0, 0, "a");
    names.keep_numbers(1, 3);
    names.add_stream(2, 4, "c");
    let repo = MemoryRepo::new();
    let tips = RwLock::new(vec![StreamTip::default(); 3]);
    save(&repo, &identity(), &names, &tips, &IdFilter::new()).unwrap();
    let loaded = load(&repo, &identity()).unwrap().names;
    for names in [&names, &*loaded] {
        for name in [Name::Stream(0), Name::EventType(1)] {
            assert!(names.knows(name), "{name}");
        }
        for name in [
            Name::Stream(1),
            Name::Stream(2),
            Name::AggregateType(4),
            Name::EventType(0),
            Name::EventType(3),
        ] {
            assert!(!names.knows(name), "{name}");
        }
        let types = [TypeNameOf::Aggregate, TypeNameOf::Event].map(|of| names.types(of).len());
        assert_eq!((names.stream_count(), types), (3, [5, 4]));
    }
    let stand_in = StreamName::new("Vehicle", UNREADABLE);
    assert_eq!(loaded.stream_number(&stand_in), None);
}

/// As an earlier program saved them: the indexes of the segments know better.
#[test]
fn tables_with_what_stands_in_for_names_are_not_taken() {
    let is_taken = |add: &dyn Fn(&Names)| {
        let names = Names::new(None);
        names.add_type(TypeNameOf::Aggregate, 0, "Vehicle");
        names.add_type(TypeNameOf::Event, 0, "Created");
        names.add_stream(0, 0, "a");
        add(&names);
        let repo = MemoryRepo::new();
        let tips = RwLock::new(vec![StreamTip::default(); 3]);
        save(&repo, &identity(), &names, &tips, &IdFilter::new()).unwrap();
        load(&repo, &identity()).is_some()
    };
    assert!(is_taken(&|names| names.add_stream(1, 0, "b")));
    assert!(!is_taken(&|names| names.add_stream(1, 0, UNREADABLE)));
    for of in [TypeNameOf::Aggregate, TypeNameOf::Event] {
        assert!(!is_taken(&|names| names.add_type(of, 1, UNREADABLE)));
    }
}

#[test]
fn tables_of_another_moment_are_not_taken() {
    let repo = saved();
    let of_this = identity();
    for other in [
        StateIdentity {
            log_id: Uuid::from_u128(6),
            ..of_this
        },
        StateIdentity {
            next: Position::new(101),
            ..of_this
        },
        StateIdentity {
            chain: [5; 32],
            ..of_this
        },
    ] {
        assert!(load(&repo, &other).is_none(), "{other:?}");
    }
    let another_segment = StateIdentity {
        segment: SegmentId::new(4),
        ..of_this
    };
    assert!(load(&repo, &another_segment).is_none());
    repo.put(
        "000000000004.state",
        repo.bytes(&state_file(of_this.segment)),
    );
    assert!(load(&repo, &another_segment).is_none(), "a renamed file");
}

/// The frame's checksum covers all of it, so what is tried here is what a writer of nonsense could have framed.
#[test]
fn every_truncation_of_the_payload_is_refused() {
    let bytes = saved().bytes("000000000003.state");
    let (payload, _) = frame::decode(&bytes, KIND, FORMAT).unwrap();
    let without_filter = payload.len() - 8 - 4 - tables().ids.memory();
    for length in (0..=without_filter + 20).chain([payload.len() - 1]) {
        assert!(
            decode(&payload[..length], &identity(), None).is_none(),
            "cut at {length}"
        );
    }
    assert!(decode(payload, &identity(), None).is_some());
    let mut longer = payload.to_vec();
    longer.push(0);
    assert!(decode(&longer, &identity(), None).is_none());
    let framed = frame::encode(KIND, FORMAT, payload);
    assert!(matches(&framed, &identity()).is_some());
    let behind = [&framed[..], &[0]].concat();
    assert!(
        matches(&behind, &identity()).is_none(),
        "bytes behind the frame"
    );
}

#[test]
fn hostile_counts_cost_no_memory() {
    let bytes = saved().bytes("000000000003.state");
    let (payload, _) = frame::decode(&bytes, KIND, FORMAT).unwrap();
    // The counts of aggregate types, event types and streams, each said to be four billion.
    for at in 64..140 {
        let mut hostile = payload.to_vec();
        hostile[at..at + 4].fill(0xff);
        let _ = decode(&hostile, &identity(), None);
    }
    let mut hostile = payload[..64].to_vec();
    hostile.extend_from_slice(&[0; 8]);
    hostile.extend_from_slice(&u32::MAX.to_le_bytes());
    assert!(decode(&hostile, &identity(), None).is_none());
}

#[test]
fn damaged_files_are_not_taken() {
    let repo = saved();
    let name = state_file(identity().segment);
    let whole = repo.bytes(&name);
    for at in (0..300).chain([whole.len() / 2, whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        repo.put(&name, bytes);
        assert!(load(&repo, &identity()).is_none(), "byte {at}");
    }
    repo.put(&name, Vec::new());
    assert!(load(&repo, &identity()).is_none());
    repo.remove(&name).unwrap();
    assert!(load(&repo, &identity()).is_none());
}

/// A file whose log goes on while it is written: with each write an aggregate of a new type gets its first event.
#[derive(Debug)]
struct WhileTheLogGrows<'a> {
    file: Arc<dyn RepoFile>,
    names: &'a Names,
    tips: &'a RwLock<Vec<StreamTip>>,
}

impl RepoFile for WhileTheLogGrows<'_> {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let stream = self.names.stream_count();
        let new_type = u16::try_from(self.names.types(TypeNameOf::Aggregate).len()).unwrap();
        self.names
            .add_type(TypeNameOf::Aggregate, new_type, &format!("New{new_type}"));
        self.names.add_stream(stream, new_type, "first");
        self.tips.write().unwrap().push(StreamTip::default());
        self.file.write_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn view(&self, length: u64, reserve: u64) -> io::Result<Arc<dyn View>> {
        self.file.view(length, reserve)
    }
}

#[test]
fn a_stream_is_saved_with_its_type_though_the_log_grows_meanwhile() {
    let repo = MemoryRepo::new();
    let before = tables();
    // Types enough that what is written of them does not wait for the streams.
    for number in 1..6_000_u16 {
        let name = format!("{number:0255}");
        before.names.add_type(TypeNameOf::Aggregate, number, &name);
    }
    let tips = RwLock::new(before.tips);
    let file = WhileTheLogGrows {
        file: repo.create(&state_file(identity().segment)).unwrap(),
        names: &before.names,
        tips: &tips,
    };
    let mut frame = FrameWriter::new(&file);
    put(&identity(), &before.names, &tips, &before.ids, &mut frame).unwrap();
    frame.finish(KIND, FORMAT).unwrap();

    let loaded = load(&repo, &identity()).unwrap();
    assert!(before.names.stream_count() > 4, "the log did not grow");
    for number in 0..loaded.names.stream_count() {
        assert_eq!(loaded.names.stream(number), before.names.stream(number));
    }
}
