//! Somebody on the network who repeats what depots tell each other, in another order.

use std::time::Duration;

use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt as _;
use harness::load::Seeded;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// Messages that are remembered.
const REMEMBERED: usize = 300;
/// How long the broker may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Parrot {
    runtime: Runtime,
    client: Client,
    heard: Subscriber,
    remembered: Vec<Message>,
}

impl Parrot {
    /// Listens to what goes through this broker.
    pub(super) fn new(address: &str) -> Parrot {
        let runtime = Runtime::new().expect("threads");
        let (client, heard) = runtime.block_on(async {
            let options = async_nats::ConnectOptions::new().no_echo();
            let client = options.connect(address).await.expect("a broker");
            let heard = client.subscribe("railfleet.events.>").await;
            (client, heard.expect("a subscription"))
        });
        Parrot {
            runtime,
            client,
            heard,
            remembered: Vec::new(),
        }
    }

    /// Repeats up to `count` of what was heard, in any order, without the ids by which the broker would know them.
    pub(super) fn repeat(&mut self, count: u64, chance: &mut Seeded) -> u64 {
        let Parrot {
            runtime,
            client,
            heard,
            remembered,
        } = self;
        runtime.block_on(async {
            while let Ok(Some(message)) = timeout(Duration::from_millis(1), heard.next()).await {
                remembered.push(message);
            }
            let surplus = remembered.len().saturating_sub(REMEMBERED);
            remembered.drain(..surplus);
            let count = count.min(remembered.len() as u64);
            for _ in 0..count {
                let message = &remembered[chance.place(remembered.len())];
                let sent = client.publish(message.subject.clone(), message.payload.clone());
                sent.await.expect("a client that is open");
            }
            // A broker that is gone hears it when it is back.
            drop(timeout(PATIENCE, client.flush()).await);
            count
        })
    }
}
