// Package archive writes the topics into a folder of Parquet files, for whoever wants to ask questions in SQL and not to
// read a log.
//
//	event=message_stored/day=2026-11-26/chat.messages.stored-12-4000-4711.parquet
//
// is every record of partition 12 of chat.messages.stored from offset 4000 to 4711, both included: one row each, with the
// columns of the event's newest schema, and kafka_partition, kafka_offset and kafka_time beside them. Which topics are
// archived is in topics.yaml: those that are consumed by `archive`.
//
// It promises that each record is in one file, once. What was archived is what the files' names say: there is nothing
// else to keep, to lose or to disagree with. A file appears whole, by a rename, and a process that dies in between
// leaves nothing but a temporary file, which the next one removes. One process uses a folder at a time. Two files of one
// partition never overlap; a folder where they do is refused. So is a topic that was made again, whose offsets would
// mean other records than the names say. A topic that changes while it is read ends Run, after what was taken is written.
//
// A file holds records of one day, by the log's time in UTC; as offsets grow a partition's day never goes back, so a
// record whose clock was behind is with its successors, at most by as much as clocks differ. What cannot be read by its
// schema is kept as it is, with the reason, in event=unreadable.
//
// What chat.erasures names is erased: in rows to come, and in the files that are there, which are written anew under their
// names.
//
// What the log has dropped before it was archived is lost, and said: in the log, in a metric, and as a gap between names.
// Where the archive has nothing of a partition yet, nobody knows whether what is gone was to be archived: it is only logged.
//
//	archive.go   Run: where each partition goes on, and what is done with its records
//	part.go      one partition: rows until there is a file's worth
//	folder.go    names, what is there, temporary files and renames
//	columns.go   a schema's columns
//	file.go      one Parquet file
//	erase.go     what chat.erasures asks for
package archive
