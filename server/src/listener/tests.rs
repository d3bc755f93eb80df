use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

#[tokio::test]
async fn what_was_read_before_is_read_again_first() {
    let (near, mut far) = tokio::io::duplex(100);
    far.write_all(b"HTTP/1.1").await.unwrap();
    drop(far);
    let mut patient = Patient::new(near, b"GET / ".to_vec(), Duration::from_secs(30));
    let mut text = String::new();
    patient.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "GET / HTTP/1.1");
}

#[tokio::test]
async fn places_are_counted_in_all_and_by_address() {
    let gate = Gate::new(3, 2);
    let (first, second) = (gate.enter(HERE).unwrap(), gate.enter(HERE).unwrap());
    assert!(gate.enter(HERE).is_none(), "two from here are all");
    let third = gate.enter(THERE).unwrap();
    assert!(gate.enter(THERE).is_none(), "three are all");
    drop(first);
    let again = gate.enter(HERE).unwrap();
    drop((second, third, again));
    assert!(
        gate.addresses.lock().unwrap().is_empty(),
        "nothing is kept of addresses that are gone"
    );
    gate.all_gone().await;
}

#[test]
fn the_refusal_is_as_long_as_it_says() {
    let (head, body) = TOO_MANY.split_once("\r\n\r\n").unwrap();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(body.len(), length);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(body).unwrap()["status"],
        503
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_reading_is_given_up() {
    let (near, far) = tokio::io::duplex(1_000);
    let mut patient = Patient::new(near, Vec::new(), Duration::from_secs(30));
    patient.write_all(&[0; 1_000]).await.unwrap();
    let error = patient.write_all(&[0; 1_000]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_waited_for() {
    let (near, mut far) = tokio::io::duplex(1_000);
    let reader = tokio::spawn(async move {
        let mut taken = [0; 100];
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            far.read_exact(&mut taken).await.unwrap();
        }
    });
    let mut patient = Patient::new(near, Vec::new(), Duration::from_secs(30));
    patient.write_all(&[0; 3_000]).await.unwrap();
    reader.await.unwrap();
}
