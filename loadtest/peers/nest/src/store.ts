import { Client, types } from "cassandra-driver";
import { Message, keyspace, setting } from "./message";

/** The rows of one message are those that our contract needs: the message, its id, the head, the sender's mark, the inboxes. */
const tables = [
  `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  `CREATE TABLE IF NOT EXISTS ${keyspace}.members (conversation_id uuid PRIMARY KEY, users set<uuid>)`,
  `CREATE TABLE IF NOT EXISTS ${keyspace}.messages (conversation_id uuid, bucket int, seq bigint, id uuid, sender_id uuid, body text, created_at timestamp,
     PRIMARY KEY ((conversation_id, bucket), seq))`,
  `CREATE TABLE IF NOT EXISTS ${keyspace}.message_ids (conversation_id uuid, id uuid, seq bigint, PRIMARY KEY ((conversation_id, id)))`,
  `CREATE TABLE IF NOT EXISTS ${keyspace}.heads (conversation_id uuid PRIMARY KEY, seq bigint, log_offset bigint)`,
  `CREATE TABLE IF NOT EXISTS ${keyspace}.inbox (user_id uuid, conversation_id uuid, last_seq bigint, read_seq bigint, activity_at timestamp,
     PRIMARY KEY (user_id, conversation_id))`,
];

const bucketSize = 1000;
const uuid = types.Uuid.fromString;
const long = types.Long.fromNumber;

export class Store {
  private readonly client: Client;

  constructor() {
    const [host, port] = setting("CASSANDRA").split(":");
    this.client = new Client({
      contactPoints: [host], protocolOptions: { port: Number(port) }, localDataCenter: "datacenter1",
      queryOptions: { prepare: true, consistency: types.consistencies.localQuorum, isIdempotent: true },
      socketOptions: { readTimeout: 12_000 },
    });
  }

  async open(): Promise<void> {
    await this.client.connect();
    for (const table of tables) await this.client.execute(table, [], { prepare: false });
  }

  async addMember(conversationId: string, userId: string): Promise<void> {
    await this.client.execute(`UPDATE ${keyspace}.members SET users = users + ? WHERE conversation_id = ?`, [[uuid(userId)], uuid(conversationId)]);
  }

  async members(conversationId: string): Promise<string[]> {
    const row = (await this.client.execute(`SELECT users FROM ${keyspace}.members WHERE conversation_id = ?`, [uuid(conversationId)])).first();
    return (row?.users ?? []).map(String);
  }

  async head(conversationId: string): Promise<{ seq: number; offset: number }> {
    const row = (await this.client.execute(`SELECT seq, log_offset FROM ${keyspace}.heads WHERE conversation_id = ?`, [uuid(conversationId)])).first();
    return { seq: Number(row?.seq ?? 0), offset: Number(row?.log_offset ?? -1) };
  }

  /** The number of a message that was stored before; 0: it is new. */
  async known(m: Message): Promise<number> {
    const row = (await this.client.execute(`SELECT seq FROM ${keyspace}.message_ids WHERE conversation_id = ? AND id = ?`,
      [uuid(m.conversationId), uuid(m.id)])).first();
    return Number(row?.seq ?? 0);
  }

  /** Stores a message: its rows beside each other, then the head and the inboxes. */
  async put(m: Message, seq: number, offset: number, members: string[]): Promise<void> {
    const conversation = uuid(m.conversationId);
    const at = new Date(m.createdAt);
    await Promise.all([
      this.client.execute(
        `INSERT INTO ${keyspace}.messages (conversation_id, bucket, seq, id, sender_id, body, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
        [conversation, Math.floor(seq / bucketSize), long(seq), uuid(m.id), uuid(m.senderId), m.message, at]),
      this.client.execute(`INSERT INTO ${keyspace}.message_ids (conversation_id, id, seq) VALUES (?, ?, ?)`, [conversation, uuid(m.id), long(seq)]),
    ]);
    await Promise.all([
      this.client.execute(`INSERT INTO ${keyspace}.heads (conversation_id, seq, log_offset) VALUES (?, ?, ?)`, [conversation, long(seq), long(offset)]),
      ...members.map((user) => user === m.senderId
        ? this.client.execute(`INSERT INTO ${keyspace}.inbox (user_id, conversation_id, last_seq, read_seq, activity_at) VALUES (?, ?, ?, ?, ?)`,
          [uuid(user), conversation, long(seq), long(seq), at])
        : this.client.execute(`INSERT INTO ${keyspace}.inbox (user_id, conversation_id, last_seq, activity_at) VALUES (?, ?, ?, ?)`,
          [uuid(user), conversation, long(seq), at])),
    ]);
  }

  /** What came after a message, in its order. */
  async after(conversationId: string, seq: number): Promise<(Message & { seq: number })[]> {
    const found: (Message & { seq: number })[] = [];
    for (let bucket = Math.floor((seq + 1) / bucketSize); ; bucket++) {
      const { rows } = await this.client.execute(
        `SELECT seq, id, sender_id, body, created_at FROM ${keyspace}.messages WHERE conversation_id = ? AND bucket = ? AND seq > ?`,
        [uuid(conversationId), bucket, long(seq)]);
      for (const row of rows) {
        found.push({
          id: String(row.id), conversationId, senderId: String(row.sender_id), message: row.body, createdAt: row.created_at.toISOString(), seq: Number(row.seq),
        });
      }
      if (rows.length === 0) return found;
    }
  }

  async close(): Promise<void> {
    await this.client.shutdown();
  }
}
