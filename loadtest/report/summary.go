// Package report tells what came of a run: as JSON, and as a page with plots that needs nothing but itself.
package report

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/dozaar/dozaar/loadtest/load"
)

// Summary is a run as it is kept.
type Summary struct {
	Scenario string            `json:"scenario"`
	About    string            `json:"about"`
	Target   string            `json:"target"`
	Gateways []string          `json:"gateways"`
	Settings map[string]string `json:"settings"` // by the names of their flags, secrets not among them
	Machine  []string          `json:"machine"`
	load.Result
}

// SummaryFile and PageFile are the names in a run's folder.
const (
	SummaryFile = "summary.json"
	PageFile    = "report.html"
)

// Remove removes both from a folder, if they are there.
func Remove(folder string) error {
	for _, name := range []string{SummaryFile, PageFile} {
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Write puts the summary and the page into a folder that is there.
func (s Summary) Write(folder string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	page, err := s.Page()
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, SummaryFile), append(text, '\n'), 0o644), //nolint:gosec // for everybody to read
		os.WriteFile(filepath.Join(folder, PageFile), []byte(page), 0o644),          //nolint:gosec // the same
	)
}
