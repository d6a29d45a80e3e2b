package embedded

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dozaar/dozaar/schemas"
)

// incompatible says what is wrong with registering a schema under a subject that is FULL_TRANSITIVE, or "". The registry
// behind takes anything; a subject of another level takes anything here too. Texts that are there already are no change.
func incompatible(registry http.Handler, req *http.Request, body []byte) string {
	if req.Method != http.MethodPost {
		return ""
	}
	subject, versions := strings.CutSuffix(strings.TrimPrefix(req.URL.EscapedPath(), "/subjects/"), "/versions")
	var asked struct{ Schema, SchemaType string }
	if !versions || json.Unmarshal(body, &asked) != nil || asked.SchemaType != "" && asked.SchemaType != "AVRO" {
		return ""
	}
	ask := func(path string, into any) bool {
		question := &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}, Host: req.Host}
		var err error
		if question.URL, err = url.Parse(path); err != nil {
			return false
		}
		a := answerTo(registry, question.WithContext(req.Context()))
		return a.ok() && json.Unmarshal(a.body.Bytes(), into) == nil
	}
	var level struct{ CompatibilityLevel string }
	if !ask("/config/"+subject+"?defaultToGlobal=true", &level) || level.CompatibilityLevel != schemas.Compatibility {
		return ""
	}
	var numbers []int
	if !ask("/subjects/"+subject+"/versions", &numbers) {
		return ""
	}
	slices.Sort(numbers)
	var texts []string
	for _, n := range numbers {
		var there struct{ Schema string }
		if ask("/subjects/"+subject+"/versions/"+strconv.Itoa(n), &there) && there.Schema != asked.Schema {
			texts = append(texts, there.Schema)
		}
	}
	if err := schemas.Evolution(append(texts, asked.Schema)); err != nil {
		return fmt.Sprintf("Schema being registered is incompatible with an earlier schema: %v", err)
	}
	return ""
}
