// The oracle of test/conformance/key-patterns.test.ts: path.Match over lines of JSON on standard input. Only the standard library.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path"
)

type question struct {
	Pattern string
	Key     string
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	answers := json.NewEncoder(out)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		matched, err := path.Match(asked.Pattern, asked.Key)
		if err != nil {
			answers.Encode(nil)
		} else {
			answers.Encode(matched)
		}
	}
}
