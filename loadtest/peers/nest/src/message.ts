/** A message as it goes through Kafka. */
export interface Message {
  id: string;
  conversationId: string;
  senderId: string;
  message: string;
  createdAt: string;
  clientMessageId?: string;
}

export const topic = "peer.messages";
export const partitions = 12;
export const keyspace = "peer";

export const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
};
