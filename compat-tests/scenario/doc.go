// Package scenario reads conversations with a broker from text. It knows what is asked and in which order, not who
// answers: oracle does the asking.
//
// A file holds scenarios; a line starts with one word; lines that start with a blank go on with the line before; a
// line that starts with # says why. Names come from Kafka's message schemas.
//
//	scenario TITLE             begins one
//	versions API [MIN-MAX]     runs it once for each version; requests of that API that name no version use it
//	each NAME VALUE…           runs it once for each value of $NAME
//	needs controller           it speaks to the controller listener too
//
//	topic T [PARTITIONS] [{…}] creates a topic with these configs and waits until it can be used: $T, $T.id
//	group G                    $G is a group id that nobody uses; waits until groups are served
//	produce T PARTITION {…}    appends a batch (wire/batch.go says what can be in it)
//	on NAME [controller]       goes on over that connection, opened when first used
//	drop                       closes the connection in use
//	client ID                  the client id of the requests that follow; null for none
//	> API [vN] {…}             asks; without a version: `versions`, else the newest
//	receive                    waits for the answer of the oldest request that was only sent
//	raw HEX                    sends bytes as they are and looks what happens
//
// What may follow a request:
//
//	capture NAME PATH          keeps a value of the answer for $NAME
//	filter PATH FIELD TEXT     keeps the elements whose field starts with the text; `until` and `capture` see no others
//	until PATH VALUE           asks again until the answer says so, two minutes at most
//	mask PATH                  any value will do, as long as there is one
//	sort PATH                  the order of this list means nothing
//	differs ID PATH            a known difference: the row ID of docs/divergence.md
//	send                       does not wait for the answer
//	quiet                      an answer need not come
//	frame WHAT VALUE           makes the frame wrong: cut N, append HEX, size N, key N, version N, tags HEX, body HEX
//
// $v is the version of `versions`, $uid a text that no other scenario has, ${x*249} 249 times x.
package scenario
