package config

import (
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTablesAreWholeAndSorted(t *testing.T) {
	internal := 0
	for _, rows := range [][]Row{brokerRows, topicRows, groupRows, clientMetricsRows, dynamicRows} {
		require.True(t, sort.SliceIsSorted(rows, func(i, j int) bool { return rows[i].Name < rows[j].Name }))
		for i := range rows {
			require.NotEmpty(t, rows[i].Ident)
		}
	}
	for _, r := range brokerRows {
		if r.Internal {
			internal++
		}
	}
	require.Len(t, brokerRows, 379) // 358 names and 21 internal ones
	require.Equal(t, 29, internal)  // 8 of the 358 become public after 4.4
	require.Len(t, topicRows, 38)   // 37 and internal.segment.bytes
	require.Len(t, groupRows, 27)
}

func TestDefaultsPassTheirOwnRules(t *testing.T) {
	for _, rows := range [][]Row{brokerRows, topicRows, groupRows, clientMetricsRows, dynamicRows} {
		for i := range rows {
			if r := &rows[i]; !r.Null {
				require.NoError(t, checkValue(r, r.Default), r.Name)
				require.Equal(t, r.Default, canonical(r, r.Default), r.Name)
			}
		}
	}
}

func TestSynonymsAreBrokerKeys(t *testing.T) {
	for _, rows := range [][]Row{topicRows, groupRows} {
		for _, r := range rows {
			for _, s := range r.Synonyms {
				require.NotNil(t, BrokerRow(s.Name), s.Name)
			}
		}
	}
}

// Broker and topic views share one Key where the names are the same; that holds only while the types are.
func TestKeysOfOneNameHaveOneType(t *testing.T) {
	for _, r := range topicRows {
		if b := BrokerRow(r.Name); b != nil {
			require.Equal(t, b.Type, r.Type, r.Name)
			require.Equal(t, b.Ident, r.Ident, r.Name)
		}
	}
}

func TestNearestName(t *testing.T) {
	require.Equal(t, "log.dirs", nearest("log.dirss"))
	require.Equal(t, "advertised.listeners", nearest("advertized.listeners"))
	require.Empty(t, nearest("entirely.different.key"))
}

func TestDoublesPrintAsInJava(t *testing.T) {
	for text, want := range map[string]string{"1": "1.0", "0.25": "0.25", "1e7": "1.0E7", "0.0001": "1.0E-4", "12345678.5": "1.23456785E7", "-0": "-0.0", "NaN": "NaN", "1d": "1.0"} {
		f, ok := javaDouble(text)
		require.True(t, ok, text)
		require.Equal(t, want, formatDouble(f), text)
	}
	for _, text := range []string{"", "inf", "1_000", "x", "++1", "infinity"} {
		_, ok := javaDouble(text)
		require.False(t, ok, text)
	}
}
