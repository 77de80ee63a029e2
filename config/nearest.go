package config

// nearest is the broker key that an unknown name was probably meant to be, or "".
func nearest(name string) string {
	best, distance := "", 1+len(name)/6 // about one wrong letter in six
	if distance > 4 {
		distance = 4
	}
	if len(name) > 200 {
		return ""
	}
	for i := range brokerRows {
		if d := editDistance(name, brokerRows[i].Name, distance); d <= distance && (best == "" || d < distance) {
			best, distance = brokerRows[i].Name, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions and replacements between a and b; past limit it may answer any larger number.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
