//! Many ask the same while it is being answered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use fleet::policy::Role;
use serde_json::json;

use super::*;
use crate::http::tests::harness::TestServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_while_an_answer_is_made_shares_one_made_after_that() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let made = Arc::new(AtomicUsize::new(0));
    let ask = |held: Option<mpsc::Receiver<()>>| {
        let (state, made) = (server.state.clone(), Arc::clone(&made));
        tokio::spawn(async move {
            let question = Question {
                uri: "/figures".to_owned(),
                has: None,
            };
            let answer = answered(&state, question, None, move |_, known| {
                let number = made.fetch_add(1, Ordering::SeqCst);
                let position = known.position();
                if let Some(held) = held {
                    let _ = held.recv();
                }
                Ok(Reply::json(format!("{number} at {position}")))
            });
            let body = answer.await.unwrap().into_body();
            let body = axum::body::to_bytes(body, 100).await.unwrap();
            String::from_utf8(body.to_vec()).unwrap()
        })
    };
    let (release, held) = mpsc::channel();
    let first = ask(Some(held));
    while made.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let before = server.state.log.durable_position();
    server.append(&token, "1", "CraneSeen", json!({})).await;
    let after = server.state.log.durable_position();
    assert!(before < after);
    let others: Vec<_> = (0..20).map(|_| ask(None)).collect();
    while Arc::strong_count(&server.state.replies.turn("/figures")) < 23 {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap(), format!("0 at {before}"));
    for other in others {
        assert_eq!(other.await.unwrap(), format!("1 at {after}"));
    }
    // Nobody waits any more.
    drop(server.state.replies.turn("/other"));
    let waited_for = server.state.replies.asked.lock().unwrap();
    assert_eq!(waited_for.len(), 1, "the one that was just asked for");
}
