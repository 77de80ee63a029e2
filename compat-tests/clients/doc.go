// Package clients runs one small program for each stock Kafka client against Dohle and against Apache Kafka. All take
// the same steps and print the same lines; transcript_test.go has the lines, table_test.go the clients and what each
// does not have, with the reason. results.json is what was seen against Dohle.
package clients
