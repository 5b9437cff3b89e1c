package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// document is openapi.yaml, as far as the tests look into it.
type document struct {
	root map[string]any
	seen map[string]bool // "GET /healthz 200": answers that were checked
}

func readDocument(t testing.TB) *document {
	t.Helper()
	d := &document{seen: map[string]bool{}}
	// By way of JSON, numbers are float64 on both sides of a comparison.
	data, err := yaml.YAMLToJSON(contract)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &d.root); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *document) resolve(v any) map[string]any {
	m, _ := v.(map[string]any)
	for m["$ref"] != nil {
		var at any = d.root
		for name := range strings.SplitSeq(strings.TrimPrefix(m["$ref"].(string), "#/"), "/") {
			at = at.(map[string]any)[name]
		}
		if at == nil {
			panic(fmt.Sprintf("openapi.yaml: nothing at %v", m["$ref"]))
		}
		m = at.(map[string]any)
	}
	return m
}

// operations calls yield with "GET /healthz" and the operation.
func (d *document) operations(yield func(string, map[string]any)) {
	for path, item := range d.root["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if method != "parameters" {
				yield(strings.ToUpper(method)+" "+path, op.(map[string]any))
			}
		}
	}
}

// check says where an answer differs from what the contract promises for the
// route.
func (d *document) check(route string, resp *http.Response, body []byte) error {
	method, path, _ := strings.Cut(route, " ")
	op := d.resolve(d.resolve(d.root["paths"].(map[string]any)[path])[strings.ToLower(method)])
	status := fmt.Sprint(resp.StatusCode)
	answer := d.resolve(op["responses"].(map[string]any)[status])
	if answer == nil {
		return fmt.Errorf("%s: the contract has no answer %s", route, status)
	}
	for name := range d.resolve(answer["headers"]) {
		if resp.Header.Get(name) == "" {
			return fmt.Errorf("%s %s: no header %s", route, status, name)
		}
	}
	if answer["content"] == nil && len(body) == 0 {
		d.seen[route+" "+status] = true
		return nil
	}
	content, _ := answer["content"].(map[string]any)
	mediaType := resp.Header.Get("Content-Type")
	media, ok := content[mediaType].(map[string]any)
	if !ok {
		return fmt.Errorf("%s %s: the contract has no answer in %q", route, status, mediaType)
	}
	d.seen[route+" "+status] = true
	if media["schema"] == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%s %s: %w", route, status, err)
	}
	if err := d.match("$", media["schema"], value); err != nil {
		return fmt.Errorf("%s %s: %w", route, status, err)
	}
	return nil
}

// match checks value against the part of JSON Schema that the contract uses.
// A keyword that it does not know is an error, so that none is there in vain.
func (d *document) match(at string, schema, value any) error {
	s := d.resolve(schema)
	for keyword, want := range s {
		var ok bool
		switch keyword {
		case "description":
			ok = true
		case "type":
			ok = hasType(want.(string), value)
		case "enum":
			ok = slices.Contains(want.([]any), value)
		case "minimum":
			ok = value.(float64) >= want.(float64)
		case "maximum":
			ok = value.(float64) <= want.(float64)
		case "minLength":
			ok = utf8.RuneCountInString(value.(string)) >= int(want.(float64))
		case "maxLength":
			ok = utf8.RuneCountInString(value.(string)) <= int(want.(float64))
		case "pattern":
			ok = regexp.MustCompile(want.(string)).MatchString(value.(string))
		case "minItems":
			ok = len(value.([]any)) >= int(want.(float64))
		case "maxItems":
			ok = len(value.([]any)) <= int(want.(float64))
		case "items":
			ok = true
			list, _ := value.([]any)
			for i, v := range list {
				if err := d.match(fmt.Sprintf("%s[%d]", at, i), want, v); err != nil {
					return err
				}
			}
		case "required":
			object, _ := value.(map[string]any)
			ok = !slices.ContainsFunc(want.([]any), func(name any) bool { _, has := object[name.(string)]; return !has })
		case "properties":
			ok = true
			object, _ := value.(map[string]any)
			for name, v := range object {
				if property, has := want.(map[string]any)[name]; has {
					if err := d.match(at+"."+name, property, v); err != nil {
						return err
					}
				}
			}
		case "additionalProperties":
			object, _ := value.(map[string]any)
			known := d.resolve(s["properties"])
			ok = !slices.ContainsFunc(slices.Collect(maps.Keys(object)), func(name string) bool { return known[name] == nil })
		case "oneOf":
			n := 0
			for _, one := range want.([]any) {
				if d.match(at, one, value) == nil {
					n++
				}
			}
			ok = n == 1
		default:
			return fmt.Errorf("openapi.yaml: the test does not know %s", keyword)
		}
		if !ok {
			return fmt.Errorf("%s: %v is not %s: %v", at, value, keyword, want)
		}
	}
	return nil
}

func hasType(want string, value any) bool {
	switch v := value.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == "boolean"
	case string:
		return want == "string"
	case float64:
		return want == "number" || want == "integer" && v == float64(int64(v))
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return false
}

func TestContractHasTheServersRoutes(t *testing.T) {
	var want, got []string
	for _, rt := range newService(&Server{}, t.Context()).routes() {
		want = append(want, strings.TrimSuffix(rt.pattern, "{$}"))
	}
	readDocument(t).operations(func(route string, op map[string]any) {
		got = append(got, route)
		if op["summary"] == nil || op["operationId"] == nil {
			t.Errorf("%s has no summary or operationId", route)
		}
	})
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("openapi.yaml has\n%v\nthe server has\n%v", got, want)
	}
}

func TestContractSaysWhichRoutesNeedNoToken(t *testing.T) {
	open := map[string]bool{}
	for _, rt := range newService(&Server{}, t.Context()).routes() {
		open[strings.TrimSuffix(rt.pattern, "{$}")] = rt.open
	}
	readDocument(t).operations(func(route string, op map[string]any) {
		if (op["security"] != nil) != open[route] {
			t.Errorf("%s: open is %v, security in openapi.yaml %v", route, open[route], op["security"])
		}
	})
}

func TestMediaTypesOfTheContractAreWellFormed(t *testing.T) {
	readDocument(t).operations(func(route string, op map[string]any) {
		body, _ := op["requestBody"].(map[string]any)
		content, _ := body["content"].(map[string]any)
		for kind := range content {
			if _, _, err := mime.ParseMediaType(kind); err != nil {
				t.Errorf("%s: %v", route, err)
			}
		}
	})
}
