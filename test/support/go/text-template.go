// The oracle of test/conformance/text-template.test.ts: Go's own text/template over lines of JSON on standard input, a line of JSON for
// each. Only the standard library.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path"
	"strconv"
	"strings"
	"text/template"
)

type question struct {
	Template string
	Data     interface{}
}

type answer struct {
	Text  string `json:"text"`
	Error string `json:"error,omitempty"`
}

var functions = template.FuncMap{
	"add":        func(a, b int) int { return a + b },
	"sub":        func(a, b int) int { return a - b },
	"mul":        func(a, b int) int { return a * b },
	"div":        func(a, b int) int { return a / b },
	"mod":        func(a, b int) int { return a % b },
	"seq":        sequence,
	"atoi":       strconv.Atoi,
	"base":       path.Base,
	"dir":        path.Dir,
	"split":      strings.Split,
	"join":       strings.Join,
	"replace":    strings.Replace,
	"toUpper":    strings.ToUpper,
	"toLower":    strings.ToLower,
	"contains":   strings.Contains,
	"trimSuffix": strings.TrimSuffix,
	"parseBool":  strconv.ParseBool,
	"map":        createMap,
}

func sequence(first, last int) []int {
	list := []int{}
	for at := first; at <= last; at++ {
		list = append(list, at)
	}
	return list
}

func createMap(values ...interface{}) (map[string]interface{}, error) {
	if len(values)%2 != 0 {
		return nil, errors.New("odd")
	}
	made := map[string]interface{}{}
	for at := 0; at < len(values); at += 2 {
		key, ok := values[at].(string)
		if !ok {
			return nil, errors.New("no string")
		}
		made[key] = values[at+1]
	}
	return made, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		if err := encoder.Encode(ask(asked)); err != nil {
			panic(err)
		}
	}
}

func ask(asked question) answer {
	parsed, err := template.New("main").Funcs(functions).Parse(asked.Template)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, asked.Data); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Text: text.String()}
}
