//! The step member: a member of a group that says what it has and reads, until stdin ends.

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a member has, and per partition the offset that is still to be committed.
#[derive(Default)]
struct Held {
    partitions: BTreeSet<i32>,
    pending: BTreeMap<i32, i64>,
}

struct Context {
    held: Mutex<Held>,
    leave: Arc<AtomicBool>,
    incremental: bool,
}

impl Context {
    fn say(&self, held: &Held) {
        let words: Vec<String> = held.partitions.iter().map(|p| format!(" {p}")).collect();
        println!("member has{}", words.concat());
    }
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut held = self.held.lock().expect("held");
        match rebalance {
            Rebalance::Assign(gained) => {
                held.partitions.extend(gained.elements().iter().map(|p| p.partition()));
                self.say(&held);
            }
            Rebalance::Revoke(lost) => {
                for p in lost.elements() {
                    held.partitions.remove(&p.partition());
                    held.pending.remove(&p.partition());
                }
                if self.incremental && !self.leave.load(Ordering::SeqCst) {
                    self.say(&held);
                }
            }
            Rebalance::Error(e) => eprintln!("{e}"),
        }
    }
}

pub fn run(bootstrap: &str, topic: &str) -> super::Line {
    let protocol = std::env::var("GROUP_PROTOCOL").unwrap_or_else(|_| "classic".into());
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", std::env::var("GROUP")?).set("group.protocol", &protocol);
    config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    if protocol == "classic" {
        config.set("session.timeout.ms", "6000");
    }
    let leave = Arc::new(AtomicBool::new(false));
    let told = leave.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::SeqCst);
    });
    let context = Context { held: Mutex::default(), leave: leave.clone(), incremental: protocol == "consumer" };
    let consumer: BaseConsumer<Context> = config.create_with_context(context)?;
    consumer.subscribe(&[topic])?;
    while !leave.load(Ordering::SeqCst) {
        if let Some(Ok(m)) = consumer.poll(Duration::from_millis(200)) {
            println!("member read {}", m.payload_view::<str>().ok_or("no value")??);
            consumer.context().held.lock().expect("held").pending.insert(m.partition(), m.offset() + 1);
        }
        let mut list = TopicPartitionList::new();
        for (p, offset) in &consumer.context().held.lock().expect("held").pending {
            list.add_partition_offset(topic, *p, Offset::Offset(*offset))?;
        }
        if list.count() > 0 {
            match consumer.commit(&list, CommitMode::Sync) {
                Ok(()) => consumer.context().held.lock().expect("held").pending.clear(),
                Err(e) => eprintln!("{e}"), // kept for the next time, unless the partition goes before
            }
        }
    }
    drop(consumer); // closes it
    println!("member left");
    std::process::exit(0);
}
