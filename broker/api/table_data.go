package api

// dataRows are the rows of the data path: 0, 1, 2, 21, 22, 23 and 61.
var dataRows = []API{produce, fetch, listOffsets, deleteRecords, initProducerID, offsetForLeaderEpoch, describeProducers}
