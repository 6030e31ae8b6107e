// How often each token was seen within a scope, kept up to date token by token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace foretell {

enum class ScopeKind { prompt, output, all, last };

struct Scope {
    ScopeKind kind;
    int64_t window;  // of `last`: tokens
};

struct TokenCount {
    int32_t id;
    int32_t count;
};

class TokenCounts {
  public:
    // Tokens at `vocab_size` and beyond, and exempt ones, are never counted.
    TokenCounts(Scope scope, int64_t vocab_size, const std::vector<int32_t>& exempt);

    // Takes the last of `tokens`, which are all so far, into account.
    void push(const std::vector<int32_t>& tokens, int64_t num_prompt_tokens);
    void clear();

    // Each id at most once; a count may have fallen to 0.
    const std::vector<TokenCount>& entries() const { return entries_; }
    int32_t count_of(int32_t id) const;  // 0 where it is not among them

  private:
    void add(int32_t id, int32_t change);

    Scope scope_;
    int64_t vocab_size_;
    std::vector<int32_t> exempt_;  // ascending
    std::vector<TokenCount> entries_;
    std::unordered_map<int32_t, std::size_t> index_of_;  // id -> index in entries_
};

}  // namespace foretell
