package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/dozaar/dozaar/pkg/api"
	"github.com/dozaar/dozaar/schemas"
)

// contract is schemas/openapi.yaml, to which every request and every answer of these tests is held.
type contract struct {
	doc    *openapi3.T
	router routers.Router
	seen   map[string]bool // operationId and status of what was answered
}

func newContract(t testing.TB) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(schemas.OpenAPI)
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	for name, s := range doc.Components.Schemas {
		if !strings.HasPrefix(name, "New") {
			closeSchema(s)
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return &contract{doc: doc, router: router, seen: map[string]bool{}}
}

// closeSchema makes a field that an answer has and the document has not an error. Clients are told to
// expect such fields, but those that are sent today are to be described today.
func closeSchema(s *openapi3.SchemaRef) {
	if s == nil || s.Value == nil {
		return
	}
	v := s.Value
	if len(v.Properties) > 0 && v.AdditionalProperties.Schema == nil {
		no := false
		v.AdditionalProperties.Has = &no
	}
	for _, p := range v.Properties {
		closeSchema(p)
	}
	for _, p := range v.OneOf {
		closeSchema(p)
	}
	closeSchema(v.Items)
	closeSchema(v.AdditionalProperties.Schema)
}

// check holds one exchange to the document: what it forbids to send must be refused, and what was
// answered must be described. For a path or method that is not in it, the answer must be a problem.
func (c *contract) check(t testing.TB, r *http.Request, body []byte, answer *httptest.ResponseRecorder) {
	t.Helper()
	at := fmt.Sprintf("%s %s → %d", r.Method, r.URL.Path, answer.Code)
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	route, path, err := c.router.FindRoute(r)
	if err != nil {
		var p any
		if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil {
			t.Errorf("%s: %v", at, err)
		} else if err := c.doc.Components.Schemas["Problem"].Value.VisitJSON(p, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: no problem document: %v", at, err)
		}
		return
	}
	options := &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true,
		SkipSettingDefaults:   true,
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: path, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil && answer.Code < 400 {
		t.Errorf("%s, though the document forbids the request: %v", at, err)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: answer.Code, Header: answer.Header(), Options: options,
	}
	out.SetBodyBytes(answer.Body.Bytes())
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("%s is not as described: %v\n%s", at, err, answer.Body)
	}
	if answer.Code >= 400 && answer.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s is a %q", at, answer.Header().Get("Content-Type"))
	}
	c.seen[route.Operation.OperationID+" "+strconv.Itoa(answer.Code)] = true
}

// documented is every operation with every status it is said to answer.
func (c *contract) documented() []string {
	var all []string
	for _, path := range c.doc.Paths.Map() {
		for _, op := range path.Operations() {
			for status := range op.Responses.Map() {
				all = append(all, op.OperationID+" "+status)
			}
		}
	}
	return all
}

// TestEveryDocumentedAnswer has the API give each answer that openapi.yaml lists, and fails for one
// that it did not give: a description that nobody has seen hold is a guess.
func TestEveryDocumentedAnswer(t *testing.T) {
	h := newHarness(t)
	conv := h.conversation(buyer, seller)
	h.said(conv, buyer, "first", "second")
	at := "/v1/conversations/" + conv.ID.String()
	nowhere := "/v1/conversations/" + stranger.ID.String()
	member := "/members/" + stranger.ID.String()
	create := `{"key":"listing-1","members":[{"userId":"` + buyer.ID.String() + `","username":"Bea","role":null}],"metadata":{"listing":1}}`
	big := `{"message":"` + strings.Repeat("x", 1<<20) + `"}`
	send := `{"message":"hello","clientMessageId":"` + buyer.ID.String() + `"}`

	rows := []struct {
		operation          string
		method, path, body string
		status             int
		as                 string
		fault              func()
	}{
		{"listConversations", "GET", "/v1/conversations?limit=1", "", 200, "buyer", nil},
		{"listConversations", "GET", "/v1/conversations?limit=0", "", 400, "buyer", nil},
		{"createConversation", "POST", "/v1/conversations", create, 201, "service", nil},
		{"createConversation", "POST", "/v1/conversations", create, 200, "service", nil},
		{"createConversation", "POST", "/v1/conversations", `{}`, 400, "service", nil},
		{"createConversation", "POST", "/v1/conversations", create, 403, "buyer", nil},
		{"createConversation", "POST", "/v1/conversations", strings.Replace(create, `{"key":"listing-1"`, `{"key":"listing-2","id":"`+conv.ID.String()+`"`, 1), 409, "service", nil},
		{"createConversation", "POST", "/v1/conversations", big, 413, "service", nil},
		{"getConversation", "GET", at, "", 200, "buyer", nil},
		{"getConversation", "GET", nowhere, "", 404, "buyer", nil},
		{"putMember", "PUT", at + member, `{"username":"Sam","role":"helper"}`, 200, "service", nil},
		{"putMember", "PUT", at + member, `{"username":""}`, 400, "service", nil},
		{"putMember", "PUT", at + member, `{"username":"Sam"}`, 403, "buyer", nil},
		{"putMember", "PUT", nowhere + member, `{"username":"Sam"}`, 404, "service", nil},
		{"putMember", "PUT", at + member, big, 413, "service", nil},
		{"removeMember", "DELETE", at + member, "", 204, "service", nil},
		{"removeMember", "DELETE", at + "/members/somebody", "", 400, "service", nil},
		{"removeMember", "DELETE", at + member, "", 403, "buyer", nil},
		{"removeMember", "DELETE", nowhere + member, "", 404, "service", nil},
		{"listMessages", "GET", at + "/messages?afterSeq=0", "", 200, "buyer", nil},
		{"listMessages", "GET", at + "/messages?afterSeq=0&beforeSeq=9", "", 400, "buyer", nil},
		{"listMessages", "GET", at + "/messages", "", 404, "stranger", nil},
		{"sendMessage", "POST", at + "/messages", send, 201, "buyer", nil},
		{"sendMessage", "POST", at + "/messages", `{"message":"other","clientMessageId":"` + buyer.ID.String() + `"}`, 409, "buyer", h.deliver},
		{"sendMessage", "POST", at + "/messages", `{}`, 400, "buyer", nil},
		{"sendMessage", "POST", at + "/messages", send, 404, "stranger", nil},
		{"sendMessage", "POST", at + "/messages", big, 413, "buyer", nil},
		{"getErasure", "GET", "/v1/users/" + stranger.ID.String() + "/erasure", "", 404, "service", nil},
		{"getErasure", "GET", "/v1/users/somebody/erasure", "", 400, "service", nil},
		{"getErasure", "GET", "/v1/users/" + stranger.ID.String() + "/erasure", "", 403, "buyer", nil},
		{"eraseUser", "DELETE", "/v1/users/" + stranger.ID.String(), "", 202, "service", nil},
		{"eraseUser", "DELETE", "/v1/users/somebody", "", 400, "service", nil},
		{"eraseUser", "DELETE", "/v1/users/" + stranger.ID.String(), "", 403, "buyer", nil},
		{"getErasure", "GET", "/v1/users/" + stranger.ID.String() + "/erasure", "", 200, "service", nil},
		{"getPresence", "GET", "/v1/presence?userIds=" + buyer.ID.String() + ",nobody", "", 200, "seller", nil},
		{"getPresence", "GET", "/v1/presence", "", 400, "seller", nil},
		{"getSettings", "GET", "/v1/settings", "", 200, "buyer", nil},
		{"hide", "PUT", "/v1/settings/invisible", "", 204, "buyer", nil},
		{"show", "DELETE", "/v1/settings/invisible", "", 204, "buyer", nil},
		{"mute", "PUT", "/v1/settings/muted/" + conv.ID.String(), "", 204, "buyer", nil},
		{"mute", "PUT", "/v1/settings/muted/" + conv.ID.String(), "", 404, "stranger", nil},
		{"mute", "PUT", "/v1/settings/muted/" + conv.ID.String(), "", 400, "seller", h.muteTooMany},
		{"unmute", "DELETE", "/v1/settings/muted/everything", "", 404, "buyer", nil},
		{"unmute", "DELETE", "/v1/settings/muted/" + conv.ID.String(), "", 204, "buyer", nil},
	}
	// Whatever goes well with a token goes wrong in these ways without one, and on a bad day.
	for _, row := range slices.Clone(rows) {
		if row.status < 300 {
			away, broken := row, row
			away.fault = func() { h.store.before = unavailable }
			broken.fault = func() { h.store.before = func() error { panic("planted") } }
			if row.operation == "getPresence" {
				away.fault, broken.fault = nil, nil
				away.as, broken.as = "away", "broken"
			}
			away.status, broken.status = 503, 500
			if row.as != "service" {
				flooding := row
				flooding.status, flooding.fault = 429, func() { h.handler = h.patient(api.Rate{PerSecond: 1}) }
				rows = append(rows, flooding)
			}
			row.as, row.status = "", 401
			rows = append(rows, row, away, broken)
		}
	}
	unlimited := h.handler
	for _, row := range rows {
		t.Run(fmt.Sprint(row.operation, " ", row.status), func(t *testing.T) {
			if row.fault != nil {
				row.fault()
			}
			answer := h.at(t).do(row.method, row.path, row.as, row.body)
			h.store.before, h.handler = nil, unlimited
			if answer.status != row.status {
				t.Errorf("answered %d, want %d: %s", answer.status, row.status, answer.body)
			}
		})
	}
	if t.Failed() {
		return
	}
	for _, want := range h.contract.documented() {
		if !h.contract.seen[want] {
			t.Errorf("%s is documented, and nothing here makes the API answer it", want)
		}
	}
	if len(h.contract.seen) != len(h.contract.documented()) {
		t.Errorf("seen %v", slices.Sorted(maps.Keys(h.contract.seen)))
	}
}

// TestTheContractBites: the check above refuses what it is there to refuse.
func TestTheContractBites(t *testing.T) {
	const problem = `{"type":"about:blank","title":"x","status":404,"detail":"x","code":"not_found"}`
	for name, c := range map[string]struct {
		status          int
		mediaType, body string
		fine            bool
	}{
		"as described":     {200, "application/json", `{"conversations":[],"next":null}`, true},
		"a field more":     {200, "application/json", `{"conversations":[],"next":null,"more":1}`, false},
		"a field less":     {200, "application/json", `{"conversations":[]}`, false},
		"another type":     {200, "application/json", `{"conversations":[],"next":7}`, false},
		"deep inside":      {200, "application/json", `{"conversations":[{"id":"x"}],"next":null}`, false},
		"another status":   {404, "application/problem+json", problem, false},
		"no problem":       {400, "application/json", `{}`, false},
		"an unknown code":  {400, "application/problem+json", strings.Replace(problem, "not_found", "lost", 1), false},
		"no challenge":     {401, "application/problem+json", problem, false},
		"a plain text 500": {500, "text/plain", "Internal Server Error", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", c.mediaType)
			w.WriteHeader(c.status)
			w.WriteString(c.body)
			var told complaints
			told.TB = t
			newContract(t).check(&told, httptest.NewRequest("GET", "/v1/conversations", nil), nil, w)
			if fine := told.n == 0; fine != c.fine {
				t.Errorf("the check found %d faults", told.n)
			}
		})
	}
}

// complaints counts errors in place of failing.
type complaints struct {
	testing.TB
	n int
}

func (c *complaints) Errorf(string, ...any) { c.n++ }
