package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestJavaClient does the same conversation with the official Java client, which Android apps use, and has its
// connection lost under it.
func TestJavaClient(t *testing.T) {
	const why = "the official Java client, which Android apps use, is tested with it"
	java, javac := find(t, "java", "openjdk-17-jdk-headless", why), find(t, "javac", "openjdk-17-jdk-headless", why)
	jars := javaJars(t, find(t, "mvn", "maven", why))
	classes := t.TempDir()
	sources, err := filepath.Glob("java/*.java")
	if err != nil {
		t.Fatal(err)
	}
	command(t, javac, append([]string{"-Xlint:all", "-Werror", "-d", classes, "-cp", jars + "/*"}, sources...)...)
	start(t).suite(java, "-cp", jars+"/*", "org.junit.platform.console.ConsoleLauncher", "execute",
		"--class-path", classes, "--scan-class-path", "--fail-if-no-tests", "--details=tree", "--disable-banner", "--disable-ansi-colors")
}

// javaJars has Maven fetch the jars of java/pom.xml, where they are not there yet, and holds them to their checksums.
// With DOZAAR_PIN it writes the checksums.
func javaJars(t *testing.T, mvn string) string {
	t.Helper()
	const pinned = "java/jars.sha256"
	want, err := os.ReadFile(pinned)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(fmt.Sprintf("../../../.tools/java/%.6x", sha256.Sum256(want)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil || os.Getenv("DOZAAR_PIN") != "" {
		if err := os.RemoveAll(dir + ".new"); err != nil {
			t.Fatal(err)
		}
		command(t, mvn, "-B", "-q", "-Dstyle.color=never", "-f", "java/pom.xml", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir+".new")
		if got := checksums(t, dir+".new"); os.Getenv("DOZAAR_PIN") != "" {
			if err := os.WriteFile(pinned, got, 0o644); err != nil { //nolint:gosec // a file of the repository
				t.Fatal(err)
			}
			t.Fatal("the checksums were written: read the difference")
		}
		if err := os.Rename(dir+".new", dir); err != nil {
			t.Fatal(err)
		}
	}
	if got := checksums(t, dir); !bytes.Equal(got, want) {
		t.Fatalf("the jars in %s are not those of %s, but\n%s", dir, pinned, got)
	}
	return dir
}

// checksums are the folder's files as sha256sum lists them.
func checksums(t *testing.T, dir string) (list []byte) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		list = fmt.Appendf(list, "%x  %s\n", sha256.Sum256(content), file.Name())
	}
	return list
}

// command runs a tool that the test needs and insists that it succeeds.
func command(t *testing.T, name string, arg ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, arg...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
	}
}
