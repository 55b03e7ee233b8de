package sinofile

import (
	"fmt"
	"strconv"
	"strings"
)

var sprintf = fmt.Sprintf

// parseLiteral reads the Python literal of a .npy header: dictionaries with text
// keys (map[string]any), tuples and lists ([]any), texts, whole numbers (int64),
// True, False and None (nil).
func parseLiteral(text string) (any, error) {
	p := &literal{text: text}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.text) {
		return nil, fmt.Errorf("unexpected %q after the dictionary", p.text[p.pos])
	}
	return v, nil
}

type literal struct {
	text string
	pos  int
}

// maxNesting bounds brackets inside brackets.
const maxNesting = 8

func (p *literal) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n\x00", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// next is the next byte that is not white space, 0 at the end.
func (p *literal) next() byte {
	p.space()
	if p.pos == len(p.text) {
		return 0
	}
	return p.text[p.pos]
}

func (p *literal) value(depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("brackets are nested more than %d deep", maxNesting)
	}
	switch c := p.next(); {
	case c == '{':
		return p.dict(depth)
	case c == '(' || c == '[':
		return p.list(depth, c)
	case c == '\'' || c == '"':
		return p.str(c)
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for word, v := range map[string]any{"True": true, "False": false, "None": nil} {
		if strings.HasPrefix(p.text[p.pos:], word) {
			p.pos += len(word)
			return v, nil
		}
	}
	return nil, fmt.Errorf("no value at position %d", p.pos)
}

func (p *literal) dict(depth int) (any, error) {
	d := map[string]any{}
	p.pos++
	for p.next() != '}' {
		k, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok || p.next() != ':' {
			return nil, fmt.Errorf("no key and colon before position %d", p.pos)
		}
		if _, twice := d[key]; twice {
			return nil, fmt.Errorf("key %q stands twice", key)
		}
		p.pos++
		if d[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		if err := p.comma('}'); err != nil {
			return nil, err
		}
	}
	p.pos++
	return d, nil
}

func (p *literal) list(depth int, open byte) (any, error) {
	end := byte(')')
	if open == '[' {
		end = ']'
	}
	list := []any{}
	p.pos++
	for p.next() != end {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if err := p.comma(end); err != nil {
			return nil, err
		}
	}
	p.pos++
	return list, nil
}

// comma passes a comma, or stays before the closing bracket.
func (p *literal) comma(end byte) error {
	switch p.next() {
	case ',':
		p.pos++
		return nil
	case end:
		return nil
	}
	return fmt.Errorf("neither a comma nor %q at position %d", end, p.pos)
}

func (p *literal) str(quote byte) (any, error) {
	p.pos++
	n := strings.IndexByte(p.text[p.pos:], quote)
	if n < 0 {
		return nil, fmt.Errorf("a text does not end")
	}
	s := p.text[p.pos : p.pos+n]
	if strings.IndexByte(s, '\\') >= 0 {
		return nil, fmt.Errorf("a text with a backslash")
	}
	p.pos += n + 1
	return s, nil
}

// number reads a whole number; Python 2 wrote long ones with an L behind.
func (p *literal) number() (any, error) {
	start := p.pos
	for p.pos++; p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9'; p.pos++ {
	}
	n, err := strconv.ParseInt(p.text[start:p.pos], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("number %s is out of range", p.text[start:p.pos])
	}
	if p.pos < len(p.text) && p.text[p.pos] == 'L' {
		p.pos++
	}
	return n, nil
}
