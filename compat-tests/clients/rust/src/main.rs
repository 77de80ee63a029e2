//! The steps with rdkafka (Rust): client --steps LIST BOOTSTRAP TOPIC.

mod member;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use sha2::{Digest, Sha256};
use std::error::Error;
use std::time::{Duration, Instant};

type Line = Result<String, Box<dyn Error>>;

const RECORDS: i64 = 20;
const COMMIT_AT: i64 = 12;
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const PATIENCE: Duration = Duration::from_secs(40);

struct Client {
    bootstrap: String,
    topic: String,
    admin: AdminClient<DefaultClientContext>,
    written: usize,
}

fn done(results: Vec<TopicResult>) -> Result<(), Box<dyn Error>> {
    for r in results {
        r.map_err(|(topic, code)| format!("{topic}: {code}"))?;
    }
    Ok(())
}

impl Client {
    fn config(&self) -> ClientConfig {
        let mut c = ClientConfig::new();
        c.set("bootstrap.servers", &self.bootstrap);
        c
    }

    fn consumer(&self, group: &str, protocol: &str) -> Result<BaseConsumer, Box<dyn Error>> {
        let mut c = self.config();
        c.set("group.id", group).set("group.protocol", protocol);
        c.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
        Ok(c.create()?)
    }

    fn at(&self, partition: i32, offset: Offset) -> Result<BaseConsumer, Box<dyn Error>> {
        let consumer = self.consumer("none", "classic")?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, offset)?;
        consumer.assign(&list)?;
        Ok(consumer)
    }

    fn poll(consumer: &BaseConsumer, n: usize, patience: Duration) -> Vec<OwnedMessage> {
        let (mut got, end) = (Vec::new(), Instant::now() + patience);
        while got.len() < n && Instant::now() < end {
            if let Some(Ok(m)) = consumer.poll(Duration::from_millis(500)) {
                got.push(m.detach());
            }
        }
        got
    }

    fn partitions(&self) -> Result<(usize, String), Box<dyn Error>> {
        let m = self.admin.inner().fetch_metadata(Some(&self.topic), PATIENCE)?;
        let p = m.topics()[0].partitions();
        Ok((p.len(), format!("{} partitions, leader {}, replicas {:?}, isr {:?}", p.len(), p[0].leader(), p[0].replicas(), p[0].isr())))
    }

    fn listed(&self) -> Result<bool, Box<dyn Error>> {
        let m = self.admin.inner().fetch_metadata(None, PATIENCE)?;
        Ok(m.topics().iter().any(|t| t.name() == self.topic))
    }

    async fn value(&self, key: &str) -> Line {
        let found = self.admin.describe_configs(&[ResourceSpecifier::Topic(&self.topic)], &AdminOptions::new()).await?;
        let resource = found.into_iter().next().ok_or("no answer")?.map_err(|code| code.to_string())?;
        let entry = resource.get(key).ok_or("no such key")?;
        Ok(format!("{key}={}", entry.value.as_deref().unwrap_or("")))
    }

    fn producer(&self, codec: &str) -> Result<FutureProducer, Box<dyn Error>> {
        Ok(self.config().set("compression.type", codec).set("enable.idempotence", "true").create()?)
    }

    async fn write(&mut self, producer: &FutureProducer, codec: &str, partition: i32, from: i64, n: i64) -> Line {
        let mut offsets = Vec::new();
        let mut sent = Vec::new();
        for i in from..from + n {
            let (key, value) = (format!("k{i}"), format!("{codec}-{i:02} {}", "dohle".repeat(20)));
            let record = FutureRecord::to(&self.topic).partition(partition).key(&key).payload(&value).timestamp(1_700_000_000_000 + i * 1000)
                .headers(OwnedHeaders::new().insert(Header { key: "codec", value: Some(codec) }));
            sent.push(producer.send_result(record).map_err(|(e, _)| e)?);
        }
        for future in sent {
            offsets.push(future.await?.map_err(|(e, _)| e)?.offset);
        }
        self.written += offsets.len();
        Ok(format!("{n} records at {}..{}", offsets[0], offsets[offsets.len() - 1]))
    }

    fn consume(&self, partition: i32) -> Line {
        let consumer = self.at(partition, Offset::Beginning)?;
        let got = Self::poll(&consumer, RECORDS as usize, PATIENCE);
        let mut sum = Sha256::new();
        for m in &got {
            let header = m.headers().ok_or("no headers")?.get_as::<str>(0)?;
            let (key, value) = (m.key_view::<str>().ok_or("no key")??, m.payload_view::<str>().ok_or("no value")??);
            sum.update(format!("{}\t{key}\t{value}\t{}={}\n", m.offset(), header.key, header.value.unwrap_or("")));
        }
        let hex: String = sum.finalize()[..4].iter().map(|b| format!("{b:02x}")).collect();
        Ok(format!("{} records, sha256 {hex}", got.len()))
    }

    fn timestamp(&self) -> Line {
        let consumer = self.consumer("none", "classic")?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, Offset::Offset(1_700_000_010_000))?;
        consumer.assign(&consumer.offsets_for_times(list, PATIENCE)?)?;
        let got = Self::poll(&consumer, 1, PATIENCE);
        let m = got.first().ok_or("no message")?;
        Ok(format!("offset {}, key {}", m.offset(), m.key_view::<str>().ok_or("no key")??))
    }

    fn group(&self, name: &str, protocol: &str) -> Line {
        let id = format!("{}-{name}", self.topic);
        {
            let consumer = self.consumer(&id, protocol)?;
            consumer.subscribe(&[&self.topic])?;
            let got = Self::poll(&consumer, self.written, PATIENCE);
            if got.len() != self.written {
                return Ok(format!("read {} of {}", got.len(), self.written));
            }
            let mut commit = TopicPartitionList::new();
            for p in 1..5 {
                commit.add_partition_offset(&self.topic, p, Offset::Offset(RECORDS))?;
            }
            commit.add_partition_offset(&self.topic, 0, Offset::Offset(COMMIT_AT))?;
            consumer.commit(&commit, CommitMode::Sync)?;
        } // closes it
        let consumer = self.consumer(&id, protocol)?;
        consumer.subscribe(&[&self.topic])?;
        let mut got = Self::poll(&consumer, (RECORDS - COMMIT_AT) as usize, PATIENCE);
        got.extend(Self::poll(&consumer, 1, Duration::from_secs(1)));
        let places: Vec<(i32, i64)> = got.iter().map(|m| (m.partition(), m.offset())).collect();
        let want: Vec<(i32, i64)> = (COMMIT_AT..RECORDS).map(|o| (0, o)).collect();
        Ok(if places == want { "resumed exactly".into() } else { format!("resumed with {places:?}") })
    }

    async fn restart(&mut self) -> Line {
        let producer = self.producer("none")?;
        let consumer = self.at(0, Offset::Offset(RECORDS - 1))?;
        Self::poll(&consumer, 1, PATIENCE);
        println!("restart please");
        std::io::stdin().read_line(&mut String::new())?;
        self.write(&producer, "none", 0, RECORDS, 5).await?;
        let got = Self::poll(&consumer, 5, PATIENCE);
        let (first, last) = (got.first().ok_or("nothing read")?.offset(), got[got.len() - 1].offset());
        Ok(format!("{} records written, read at {first}..{last}", got.len()))
    }

    /// Asks again for ten seconds what a broker may answer from before a change: it learns of it a moment later.
    async fn settled(&mut self, step: &str) -> Line {
        let (mut result, end) = (self.step(step).await?, Instant::now() + Duration::from_secs(10));
        while Instant::now() < end {
            match (step, result.as_str()) {
                ("alter-config", r) if !r.ends_with("=500000") => result = self.step(step).await?,
                ("describe-topic", r) if !r.starts_with("5 ") => result = self.step(step).await?,
                ("delete-topic", "still there") if !self.listed()? => return Ok("gone".into()),
                ("create-partitions", "5 partitions") if self.partitions()?.0 == 6 => return Ok("6 partitions".into()),
                (_, "still there" | "5 partitions") => {}
                _ => break,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(result)
    }

    async fn step(&mut self, step: &str) -> Line {
        if let Some(codec) = step.strip_prefix("produce-") {
            let partition = CODECS.iter().position(|c| *c == codec).ok_or("no such codec")?;
            let producer = self.producer(codec)?;
            return self.write(&producer, codec, partition as i32, 0, RECORDS).await;
        }
        if let Some(codec) = step.strip_prefix("consume-") {
            return self.consume(CODECS.iter().position(|c| *c == codec).ok_or("no such codec")? as i32);
        }
        let options = AdminOptions::new();
        match step {
            "connect" => Ok(format!("{} broker", self.admin.inner().fetch_metadata(None, PATIENCE)?.brokers().len())),
            "create-topic" => {
                done(self.admin.create_topics(&[NewTopic::new(&self.topic, 5, TopicReplication::Fixed(1)).set("retention.ms", "-1")], &options).await?)?;
                Ok("created".into())
            }
            "list-topics" => Ok(if self.listed()? { "in the list" } else { "not in the list" }.into()),
            "describe-topic" => Ok(self.partitions()?.1),
            "describe-config" => self.value("retention.ms").await,
            "alter-config" => {
                let change = AlterConfig::new(ResourceSpecifier::Topic(&self.topic)).set("retention.ms", "-1").set("max.message.bytes", "500000");
                for r in self.admin.alter_configs(&[change], &options).await? {
                    r.map_err(|(_, code)| code.to_string())?;
                }
                self.value("max.message.bytes").await
            }
            "timestamp" => self.timestamp(),
            "member" => member::run(&self.bootstrap, &self.topic),
            "group" => self.group(step, "classic"),
            "group-consumer" => self.group(step, "consumer"),
            "delete-records" => {
                let mut list = TopicPartitionList::new();
                list.add_partition_offset(&self.topic, 0, Offset::Offset(5))?;
                self.admin.delete_records(&list, &options).await?;
                let (low, _) = self.consumer("none", "classic")?.fetch_watermarks(&self.topic, 0, PATIENCE)?;
                Ok(format!("partition 0 starts at {low}"))
            }
            "create-partitions" => {
                done(self.admin.create_partitions(&[NewPartitions::new(&self.topic, 6)], &options).await?)?;
                Ok(format!("{} partitions", self.partitions()?.0))
            }
            "restart" => self.restart().await,
            "delete-topic" => {
                done(self.admin.delete_topics(&[&self.topic], &options).await?)?;
                Ok(if self.listed()? { "still there" } else { "gone" }.into())
            }
            _ => Err("not in this client".into()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() != 5 || args[1] != "--steps" {
        eprintln!("usage: client --steps LIST BOOTSTRAP TOPIC");
        std::process::exit(2);
    }
    let admin = ClientConfig::new().set("bootstrap.servers", &args[3]).create().expect("an admin client");
    let mut client = Client { bootstrap: args[3].clone(), topic: args[4].clone(), admin, written: 0 };
    let mut code = 0;
    for step in args[2].split(',') {
        let line = client.settled(step).await.unwrap_or_else(|e| {
            code = 1;
            format!("failed: {e}").replace('\n', " ")
        });
        println!("{step}: {line}");
    }
    std::process::exit(code);
}
