package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

func badParameter(detail string) error {
	return problem(http.StatusBadRequest, CodeBadParameter, detail)
}

// numberOf reads the parameter with the name, a number from 1 to most; without one
// it is fallback.
func numberOf(query url.Values, name string, fallback, most int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badParameter(fmt.Sprintf("%s must be a number from 1 to %d.", name, most))
	}
	return n, nil
}
