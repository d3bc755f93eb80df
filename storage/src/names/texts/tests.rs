//! Texts come back, from the file and where the file does not take them.

use super::*;

fn scratch() -> Scratch {
    Scratch::new(tempfile::tempfile().unwrap()).unwrap()
}

fn push_and_ask(texts: &Texts) {
    let long = "ä".repeat(512);
    let pushed = (0..40_000).map(|number| format!("{number} ü"));
    let pushed: Vec<String> = pushed.chain([String::new(), long, "x".into()]).collect();
    let places: Vec<Text> = pushed.iter().map(|text| texts.push(text)).collect();
    for (text, place) in pushed.iter().zip(places) {
        assert_eq!(texts.get(place), Some(&**text));
    }
}

#[test]
fn texts_come_back_from_the_file() {
    let texts = Texts::new(Some(scratch()));
    push_and_ask(&texts);
    assert_eq!(texts.in_memory_count.into_inner(), 0);
}

#[test]
fn texts_without_a_file_stay_in_memory() {
    let texts = Texts::new(None);
    push_and_ask(&texts);
    assert_eq!(texts.in_memory_count.into_inner(), 40_003);
}

#[test]
fn texts_that_the_file_refuses_stay_in_memory() {
    let texts = Texts::new(Some(Scratch::that_refuses_after(1)));
    push_and_ask(&texts);
    let in_memory = texts.in_memory_count.into_inner();
    assert!((1..40_003).contains(&in_memory), "{in_memory} of them");
}

#[test]
fn a_place_that_nothing_was_put_in_has_no_text() {
    let texts = Texts::new(Some(scratch()));
    let of_another = Texts::new(None).push("a");
    assert_eq!(texts.get(of_another), None);
    let kept = texts.push("abc");
    assert_eq!(texts.get(Text { length: 4, ..kept }), None);
    let beyond = Text {
        at: kept.at + 1,
        length: 1,
    };
    assert_eq!(texts.get(beyond), None);
}
