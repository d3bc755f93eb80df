//! No event is acknowledged whose key is not on the disk: not where the file takes nothing, and not where the disk fills in the
//! middle of a key's line. What needs no key goes on, and all goes on once there is space.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::*;

fn named(number: u32) -> Transaction {
    let event = NewEvent::new(
        "StaffCreated",
        format!(r#"{{"first_name":"Ada {number}"}}"#),
    );
    let name = StreamName::new("Staff", format!("s{number}"));
    Transaction::single(name, ExpectedVersion::NoStream, event)
}

fn moved() -> Transaction {
    let event = NewEvent::new("CraneMoved", "{}");
    Transaction::single(StreamName::new("Crane", "1"), ExpectedVersion::Any, event)
}

#[track_caller]
fn refused(depot: &Depot, number: u32) {
    let before = depot.log.durable_position();
    let refused = depot.log.append(named(number));
    assert!(matches!(refused, Err(AppendError::DiskFull)), "{refused:?}");
    assert_eq!(
        depot.log.durable_position(),
        before,
        "nothing entered the log"
    );
}

/// Every person is in the file of keys, and every name can be read: what was acknowledged is whole.
#[track_caller]
fn is_whole(depot: &Depot, folder: &Path, acknowledged: &[u32]) {
    let keys = fs::read_to_string(folder.join("keys/people.keys")).unwrap();
    for line in keys.split_inclusive('\n') {
        assert!(
            line.ends_with('\n') && serde_json::from_str::<Value>(line).is_ok(),
            "{line}"
        );
    }
    let names: Vec<Value> = depot
        .all()
        .iter()
        .filter(|event| event["aggregate_type"] == "Staff")
        .map(|event| event["data"]["first_name"].clone())
        .collect();
    let expected: Vec<Value> = acknowledged
        .iter()
        .map(|number| json!(format!("Ada {number}")))
        .collect();
    assert_eq!(names, expected);
    for number in acknowledged {
        assert!(keys.contains(&format!("\"Staff:s{number}\"")), "s{number}");
    }
}

#[test]
fn a_key_that_cannot_be_written_seals_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    depot.log.append(named(1)).unwrap();
    let full = File::options()
        .read(true)
        .write(true)
        .open("/dev/full")
        .unwrap();
    let whole = depot.privacy.store().write_into(full);
    refused(&depot, 2);
    refused(&depot, 2);
    depot.log.append(moved()).expect("nobody's field is in it");
    depot.privacy.store().write_into(whole);
    depot.log.append(named(2)).unwrap();
    is_whole(&depot, folder.path(), &[1, 2]);
    drop(depot);
    is_whole(&Depot::open(folder.path(), SECRET), folder.path(), &[1, 2]);
}

/// A disk of a few pages, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Why there is none, where this machine lets nobody mount one.
    fn mount(at: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&at).map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=32k,mode=700", "tmpfs"])
            .arg(&at);
        let output = mount.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(SmallDisk(at)),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills_in_the_middle_of_a_key_leaves_no_half_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(folder.path().join("keys")) {
        Ok(disk) => disk,
        Err(why) => {
            // The runner captures what the print macros write; nobody would read it there.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED a_disk_that_fills_in_the_middle_of_a_key_leaves_no_half_of_it: no tmpfs can be mounted: {why}"
            );
            return;
        }
    };
    let depot = Depot::open(folder.path(), SECRET);
    depot.log.append(named(0)).unwrap();
    let ballast = disk.0.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[1; 512]).is_ok() {}
    // The page that the file of keys has takes some more; then a line ends in the middle.
    let mut acknowledged = vec![0];
    let first_refused = (1..100).find(|number| match depot.log.append(named(*number)) {
        Ok(_) => {
            acknowledged.push(*number);
            false
        }
        Err(_) => true,
    });
    let first_refused = first_refused.expect("the disk is full");
    assert!(acknowledged.len() > 2, "some had room: {acknowledged:?}");
    refused(&depot, first_refused);
    is_whole(&depot, folder.path(), &acknowledged);
    // As a power cut would leave it now.
    let as_it_lies = fs::read(folder.path().join("keys/people.keys")).unwrap();
    depot.log.append(moved()).expect("nobody's field is in it");
    drop(file);
    fs::remove_file(&ballast).unwrap();
    depot
        .log
        .append(named(first_refused))
        .expect("there is space again");
    acknowledged.push(first_refused);
    is_whole(&depot, folder.path(), &acknowledged);
    drop(depot);
    is_whole(
        &Depot::open(folder.path(), SECRET),
        folder.path(),
        &acknowledged,
    );
    assert_eq!(as_it_lies.last(), Some(&b'\n'), "whole lines alone");
    drop(disk);
}
