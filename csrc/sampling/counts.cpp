#include "sampling/counts.h"

#include <algorithm>

namespace foretell {

TokenCounts::TokenCounts(Scope scope, int64_t vocab_size, const std::vector<int32_t>& exempt)
    : scope_(scope), vocab_size_(vocab_size), exempt_(exempt) {
    std::sort(exempt_.begin(), exempt_.end());
}

void TokenCounts::push(const std::vector<int32_t>& tokens, int64_t num_prompt_tokens) {
    const int64_t position = static_cast<int64_t>(tokens.size()) - 1;
    const bool of_prompt = position < num_prompt_tokens;
    if (scope_.kind == ScopeKind::prompt && !of_prompt) return;
    if (scope_.kind == ScopeKind::output && of_prompt) return;
    add(tokens[position], 1);
    if (scope_.kind == ScopeKind::last && position >= scope_.window) {
        add(tokens[position - scope_.window], -1);
    }
}

void TokenCounts::clear() {
    entries_.clear();
    index_of_.clear();
}

int32_t TokenCounts::count_of(int32_t id) const {
    const auto found = index_of_.find(id);
    return found == index_of_.end() ? 0 : entries_[found->second].count;
}

void TokenCounts::add(int32_t id, int32_t change) {
    if (id >= vocab_size_ || std::binary_search(exempt_.begin(), exempt_.end(), id)) return;
    const auto [found, is_new] = index_of_.try_emplace(id, entries_.size());
    if (is_new) entries_.push_back({id, 0});
    entries_[found->second].count += change;
}

}  // namespace foretell
