use futures_util::stream;
use tokio::sync::mpsc;

use super::*;

#[tokio::test]
async fn what_waits_is_gathered_up_to_a_batch() {
    let (sender, mut waiting) = mpsc::unbounded_channel();
    for number in 0..BATCH_EVENTS + 5 {
        sender.send(number).unwrap();
    }
    let mut messages = stream::poll_fn(|context| waiting.poll_recv(context));
    let first = messages.next().await.unwrap();
    let batch = gather(first, &mut messages, BATCH_EVENTS).await;
    assert_eq!(batch, (0..BATCH_EVENTS).collect::<Vec<_>>());
    drop(sender);
    let first = messages.next().await.unwrap();
    let batch = gather(first, &mut messages, BATCH_EVENTS).await;
    assert_eq!(batch, (BATCH_EVENTS..BATCH_EVENTS + 5).collect::<Vec<_>>());
}
