package mkio

import (
	"strconv"

	"mkio-bridge/internal/lifecycle"
)

// Progress returns how far a job is, in percent, and the label of the output that says so, else its asset: of several outputs, the
// one that is least far. ok is false for other kinds, and for a job without an output that has a progress.
func (r Row) Progress() (percent int, output string, ok bool) {
	if r.Key.Kind != lifecycle.Job {
		return 0, "", false
	}
	record := recordOf(r.raw)
	for element := range record.at(memberPath{properties, "outputs"}).elements() {
		o := element.object()
		p, known := percentage(o.at("progress"))
		if !known || ok && p >= percent {
			continue
		}
		percent, output, ok = p, outputName(o), true
	}
	return percent, output, ok
}

// percentage reads a number from 0 to 100, and rounds it down. MK.IO documents an integer, which is an estimate.
func percentage(v value) (percent int, ok bool) {
	number, err := strconv.ParseFloat(string(v), 64)
	if err != nil || number < 0 || number > 100 {
		return 0, false
	}
	return int(number), true
}

// outputName identifies a job's output, which has no id: its label, else its asset.
func outputName(output object) string {
	if label, _ := plainText(output.at("label")); label != "" {
		return label
	}
	asset, _ := plainText(output.at("assetName"))
	return asset
}
