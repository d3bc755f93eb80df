//! Somebody on the network who repeats what depots tell each other, in another order.

use std::time::Duration;

use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt as _;
use harness::load::Seeded;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// Messages that are remembered.
const REMEMBERED: usize = 300;
/// Messages that wait to be remembered at most; those behind them are missed.
const HEARD_MAX: usize = 4_096;
/// How long the broker may take, and to take this client in, on a machine that has more to do.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_secs(60);

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
            let options = async_nats::ConnectOptions::new()
                .no_echo()
                .connection_timeout(CONNECT_LIMIT)
                .subscription_capacity(HEARD_MAX);
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
                // What waits for a broker that is gone has its bound.
                if let Ok(sent) = timeout(PATIENCE, sent).await {
                    sent.expect("a client that is open");
                }
            }
            // A broker that is gone hears it when it is back.
            drop(timeout(PATIENCE, client.flush()).await);
            count
        })
    }
}
