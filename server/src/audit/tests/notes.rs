//! Notes come back as they were signed, by the key that signed them, and by no other.

use storage::TreeHash;

use crate::audit::note::{Checkpoint, NoteError, Signer, Verifier, split_notes};

fn signer() -> Signer {
    Signer::new("railfleet.log/test", &[7; 32])
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint {
        origin: "railfleet.log/test".to_owned(),
        size,
        root: TreeHash::leaf(&size.to_le_bytes()),
    }
}

/// The example of c2sp.org/signed-note: its key, and the note that it signed.
#[test]
fn a_note_of_the_specification_is_read() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let verifier = Verifier::parse(key).unwrap();
    assert_eq!(verifier.to_string(), key);
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let note = format!(
        "{text}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    );
    assert_eq!(verifier.open(&note).unwrap(), text);
}

#[test]
fn a_signed_checkpoint_comes_back() {
    let signer = signer();
    let note = signer.sign(&checkpoint(158_319).to_string());
    let verifier = Verifier::parse(&signer.verifier().to_string()).unwrap();
    let text = verifier.open(&note).unwrap();
    assert_eq!(Checkpoint::parse(text).unwrap(), checkpoint(158_319));
}

#[test]
fn any_changed_byte_of_a_note_is_refused() {
    let signer = signer();
    let note = signer.sign(&checkpoint(12).to_string());
    let opened = |note: &str| signer.verifier().open(note).map(str::to_owned);
    let truth = opened(&note).unwrap();
    for (place, byte) in note.bytes().enumerate() {
        for bit in 0..7 {
            let mut changed = note.clone().into_bytes();
            changed[place] = byte ^ (1 << bit);
            // What is no UTF-8 any more is no note.
            let Ok(changed) = String::from_utf8(changed) else {
                continue;
            };
            let read = opened(&changed);
            assert!(read.is_err() || read.as_ref() == Ok(&truth), "{changed:?}");
        }
    }
    let other = Signer::new("railfleet.log/test", &[8; 32]);
    assert!(matches!(
        other.verifier().open(&note),
        Err(NoteError::Unsigned { .. })
    ));
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    for text in [
        "",
        "a\n",
        "a\n1\n",
        "a\nx\nAAAA\n",
        "a\n01\n",
        "a\n1\nAAAA\n",
        "\n1\n",
    ] {
        assert!(
            matches!(Checkpoint::parse(text), Err(NoteError::Form(_))),
            "{text:?}"
        );
    }
    for key in [
        "",
        "a",
        "a+b",
        "a+00000000+AA",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ] {
        assert!(
            matches!(Verifier::parse(key), Err(NoteError::Key(_))),
            "{key:?}"
        );
    }
}

#[test]
fn a_file_of_notes_is_taken_apart() {
    let signer = signer();
    let notes: Vec<String> = (1..4)
        .map(|size| signer.sign(&checkpoint(size).to_string()))
        .collect();
    for between in ["", "\n", "\n\n"] {
        assert_eq!(split_notes(&notes.join(between)), notes);
    }
    assert_eq!(split_notes(""), Vec::<&str>::new());
    let cut = format!("{}\n{}", notes[0], &notes[1][..30]);
    assert_eq!(split_notes(&cut)[0], notes[0]);
    assert!(signer.verifier().open(split_notes(&cut)[1]).is_err());
}
