// Package web is the page at /: HTML, CSS and JavaScript modules as a browser
// takes them, without a build step and without anything from elsewhere.
//
// index.html is the frame, app.js chooses the view by what follows # in the
// address, and each view has a module of its own. en.js and es.js hold every
// text that the page shows.
package web

import (
	"embed"
	"io/fs"
	"path"
)

//go:embed *.html *.css *.svg *.js
var files embed.FS

// Policy is the page's Content-Security-Policy: its own files, calls to its own
// origin, pictures that it has fetched itself (blob:), and no text that a
// browser would take for HTML or script.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Read returns a file of the page, such as index.html, and its media type. Its
// error is fs.ErrNotExist for a name that is none.
func Read(name string) (data []byte, mediaType string, err error) {
	// Not by mime.TypeByExtension, which asks the machine.
	mediaType, ok := map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".svg":  "image/svg+xml",
		".js":   "text/javascript; charset=utf-8",
	}[path.Ext(name)]
	if !ok {
		return nil, "", fs.ErrNotExist
	}
	data, err = files.ReadFile(name)
	return data, mediaType, err
}
