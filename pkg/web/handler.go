package web

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var bundle embed.FS

// policy lets the bundle's own files run and nothing else. Connections are open, for the page may be
// pointed at a gateway of another origin (?gateway=); trusted types make the browser refuse every
// string that would become markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self' http: https: ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// unbuilt is what `/` answers in a binary that was compiled without the bundle.
const unbuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Dozaar</title>
<h1>The page is not built</h1>
<p>This binary was compiled without it. Run <code>make build</code> and start again.</p>
<p>The gateway itself works: its sockets are at <code>/socket.io/</code>, its API at <code>/v1</code>.</p>
</html>
`

// contentTypes are stated here, not taken from the machine's own table, which differs from one to the next.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// Handler serves the page: `/`, and the files under `/assets/`, whose names carry a hash of their
// content and are cached for ever. Everything else is 404, any method but GET and HEAD 405.
func Handler() http.Handler {
	dist, err := fs.Sub(bundle, "dist")
	if err != nil {
		panic("web: the embedded folder has another name: " + err.Error()) // the //go:embed line above names it
	}
	return handler(dist)
}

func handler(dist fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		switch {
		case name == "" || name == "index.html":
			serveIndex(w, r, dist)
		case strings.HasPrefix(name, "assets/") && fs.ValidPath(name):
			serveAsset(w, r, dist, name)
		default:
			http.NotFound(w, r)
		}
	})
}

// serveIndex is never cached: it names the assets of this very build.
func serveIndex(w http.ResponseWriter, r *http.Request, dist fs.FS) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", contentTypes[".html"])
	page, err := fs.ReadFile(dist, "index.html")
	if err != nil {
		page = []byte(unbuilt)
	}
	http.ServeContent(w, r, "index.html", time.Time{}, bytes.NewReader(page))
}

func serveAsset(w http.ResponseWriter, r *http.Request, dist fs.FS, name string) {
	kind, known := contentTypes[path.Ext(name)]
	content, err := fs.ReadFile(dist, name)
	if err != nil || !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, path.Base(name), time.Time{}, bytes.NewReader(content))
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
