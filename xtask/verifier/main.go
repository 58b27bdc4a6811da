// The verifier checks a ledger and proofs about it with other people's code only: the Go team's sumdb packages and the
// transparency-dev project's Merkle proofs.
//
//	verifier LOG_DIR VKEY_FILE PROOFS_JSON
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index uint64   `json:"index"`
	Leaf  string   `json:"leaf"`
	Proof []string `json:"proof"`
}

type consistency struct {
	Old   uint64   `json:"old"`
	Root  string   `json:"root"`
	Proof []string `json:"proof"`
}

type proofs struct {
	Inclusion   []inclusion   `json:"inclusion"`
	Consistency []consistency `json:"consistency"`
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: verifier LOG_DIR VKEY_FILE PROOFS_JSON")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "verifier:", err)
		os.Exit(1)
	}
}

func run(log, vkeyFile, proofsFile string) error {
	size, root, err := checkpoint(log, vkeyFile)
	if err != nil {
		return err
	}
	if err := recompute(log, size, root); err != nil {
		return err
	}
	text, err := os.ReadFile(proofsFile)
	if err != nil {
		return err
	}
	var all proofs
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for _, p := range all.Inclusion {
		if err := checkInclusion(p, size, root); err != nil {
			return fmt.Errorf("inclusion of %d: %w", p.Index, err)
		}
	}
	for _, p := range all.Consistency {
		if err := checkConsistency(p, size, root); err != nil {
			return fmt.Errorf("consistency with %d: %w", p.Old, err)
		}
	}
	fmt.Printf("verifier: %d inclusion, %d consistency proofs hold\n", len(all.Inclusion), len(all.Consistency))
	return nil
}

// checkpoint opens the signed note and gives the size and the root that it covers.
func checkpoint(log, vkeyFile string) (uint64, tlog.Hash, error) {
	var root tlog.Hash
	vkey, err := os.ReadFile(vkeyFile)
	if err != nil {
		return 0, root, err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return 0, root, err
	}
	signed, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil {
		return 0, root, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return 0, root, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return 0, root, fmt.Errorf("the checkpoint has another form")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil {
		return 0, root, err
	}
	root, err = hash(lines[2])
	return size, root, err
}

// recompute reads every entry and builds the tree from them.
func recompute(log string, size uint64, root tlog.Hash) error {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = stored[index]
		}
		return found, nil
	})
	for n := uint64(0); n < size; {
		width := min(size-n, 256)
		entries, err := bundle(log, n/256, width)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			hashes, err := tlog.StoredHashes(int64(n), entry, reader)
			if err != nil {
				return err
			}
			stored = append(stored, hashes...)
			n++
		}
	}
	if size == 0 {
		return nil
	}
	computed, err := tlog.TreeHash(int64(size), reader)
	if err != nil {
		return err
	}
	if computed != root {
		return fmt.Errorf("the entries have the root %v, the checkpoint says %v", computed, root)
	}
	return nil
}

func bundle(log string, index, width uint64) ([][]byte, error) {
	path := fmt.Sprintf("%03d", index%1000)
	for rest := index / 1000; rest > 0; rest /= 1000 {
		path = fmt.Sprintf("x%03d/%s", rest%1000, path)
	}
	if width < 256 {
		path = fmt.Sprintf("%s.p/%d", path, width)
	}
	bytes, err := os.ReadFile(filepath.Join(log, "tile", "entries", path))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(bytes) > 0 {
		if len(bytes) < 2 {
			return nil, fmt.Errorf("bundle %d ends within a length", index)
		}
		length := int(binary.BigEndian.Uint16(bytes))
		if len(bytes) < 2+length {
			return nil, fmt.Errorf("bundle %d ends within an entry", index)
		}
		entries = append(entries, bytes[2:2+length])
		bytes = bytes[2+length:]
	}
	if uint64(len(entries)) != width {
		return nil, fmt.Errorf("bundle %d holds %d entries instead of %d", index, len(entries), width)
	}
	return entries, nil
}

func checkInclusion(p inclusion, size uint64, root tlog.Hash) error {
	leaf, err := hash(p.Leaf)
	if err != nil {
		return err
	}
	path, err := hashes(p.Proof)
	if err != nil {
		return err
	}
	record := make(tlog.RecordProof, len(path))
	for i := range path {
		copy(record[i][:], path[i])
	}
	if err := tlog.CheckRecord(record, int64(size), root, int64(p.Index), leaf); err != nil {
		return err
	}
	return proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, size, leaf[:], path, root[:])
}

func checkConsistency(p consistency, size uint64, root tlog.Hash) error {
	old, err := hash(p.Root)
	if err != nil {
		return err
	}
	path, err := hashes(p.Proof)
	if err != nil {
		return err
	}
	tree := make(tlog.TreeProof, len(path))
	for i := range path {
		copy(tree[i][:], path[i])
	}
	if err := tlog.CheckTree(tree, int64(size), root, int64(p.Old), old); err != nil {
		return err
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, p.Old, size, path, old[:], root[:])
}

func hash(text string) (tlog.Hash, error) {
	return tlog.ParseHash(text)
}

func hashes(texts []string) ([][]byte, error) {
	found := make([][]byte, len(texts))
	for i, text := range texts {
		bytes, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(bytes) != 32 {
			return nil, fmt.Errorf("%q is no hash", text)
		}
		found[i] = bytes
	}
	return found, nil
}
