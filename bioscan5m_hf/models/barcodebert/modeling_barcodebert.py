"""BarcodeBERT: BERT over k-mers, with stock parameter names.

The encoder is transformers' `BertModel` as it is (eager, sdpa, flash and flex attention, gradient checkpointing); what
is ours stands around it: pooling over the attended positions, heads that run only where a label is, losses that are
sums over a count which may be given, so that processes and accumulated batches add up exactly.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.bert.modeling_bert import BertModel, BertPreTrainedModel
from transformers.utils.generic import can_return_tuple

from .configuration_barcodebert import BarcodeBertConfig
from .heads_barcodebert import IGNORED, BarcodeBertMaskedLMOutput, MaskedHead, chosen_rows, masked_mean


class BarcodeBertPreTrainedModel(BertPreTrainedModel):
    """Base of our classes: our configuration, and no weights made up in silence."""

    config: BarcodeBertConfig
    _can_compile_fullgraph = True
    _keys_to_ignore_on_load_unexpected = [r"pooler\.", r"^(cls|classifier|decoder|qa_outputs)\."]  # noqa: RUF012

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Load weights as transformers does, but refuse to invent the ones a checkpoint lacks.

        Only a classifier that is given `labels=` here (or in `config=`) starts with a fresh head.

        Raises:
            ValueError: the checkpoint lacks weights of this class.
        """
        fresh = "labels" in kwargs or "config" in kwargs
        wants_info = kwargs.pop("output_loading_info", False)
        loaded: Any = super().from_pretrained(pretrained_model_name_or_path, *args, output_loading_info=True, **kwargs)
        model, info = loaded
        if issubclass(cls, MaskedHead) and model.config.architectures == ["BertModel"]:
            raise ValueError(
                f"{pretrained_model_name_or_path} holds an encoder only, and {cls.__name__} predicts k-mers; "
                "load it as BarcodeBertModel, or train a head"
            )
        missing = sorted(name for name in info["missing_keys"] if not (fresh and name.startswith("classifier.")))
        if missing:
            raise ValueError(
                f"{pretrained_model_name_or_path} lacks {len(missing)} weights of {cls.__name__}, the first of them "
                f"{missing[0]}: it was saved from {' or '.join(model.config.architectures or ['another class'])}; "
                "load it with that class"
            )
        return loaded if wants_info else model


class BarcodeBertModel(BarcodeBertPreTrainedModel, BertModel):
    """The encoder, without BERT's pooler: use `masked_mean` of its hidden states.

    Examples:
        >>> config = BarcodeBertConfig(kmer_size=2, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
        >>> BarcodeBertModel(config)(torch.tensor([[3, 4, 5]])).last_hidden_state.shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, config: BarcodeBertConfig, add_pooling_layer: bool = False) -> None:
        super().__init__(config, add_pooling_layer=add_pooling_layer)


class BarcodeBertForMaskedLM(MaskedHead, BarcodeBertPreTrainedModel):
    """BarcodeBERT with a head that predicts k-mers.

    Examples:
        >>> config = BarcodeBertConfig(kmer_size=2, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
        >>> model = BarcodeBertForMaskedLM(config).eval()
        >>> output = model(torch.tensor([[3, 2, 5]]), labels=torch.tensor([[-100, 4, -100]]))
        >>> output.logits is None, bool(output.loss > 0)
        (True, True)
    """

    def __init__(self, config: BarcodeBertConfig) -> None:
        super().__init__(config)
        self.bert = BarcodeBertModel(config)
        self.add_head(config)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        predicted: Tensor | None = None,
        profile: Tensor | None = None,
        num_items_in_batch: Mapping[str, Tensor | int] | Tensor | int | None = None,
        **kwargs: Any,
    ) -> BarcodeBertMaskedLMOutput:
        """Predict k-mers: logits everywhere, or, with labels, the loss from the labelled positions alone.

        Args:
            input_ids: `(batch, length)`, some of them hidden.
            attention_mask: `(batch, length)`, 1 where there is a token; None for everywhere.
            labels: `(batch, length)`, true ids where they count, -100 elsewhere. Unless `loss_positions` is `masked`,
                positions whose input is `[MASK]` are the hidden ones.
            predicted: `(batch, width)`, the labelled positions as `packed_positions` gives them. Without it they are
                looked up, which is a shape that depends on values: a compiled model then runs its head everywhere.
            profile: `(batch, hidden_size)`, a vector known of each whole barcode, to which the mean over its attended
                positions is to point. (Text retrievers are pretrained alike, by a text's bag of words: Liu et al.
                2023, arXiv 2305.02564.)
            num_items_in_batch: by what the sum of the losses is divided: the labels of all processes and accumulated
                batches together. None: the labels of this batch. With profiles `{"kmers": …, "profiles": …}`.
            **kwargs: what `BertModel` takes.

        Returns:
            `loss` is the one of the k-mers, that of the profiles (`profile_weight` times 1 - cosine), or their sum.

        Raises:
            ValueError: positions that are not hidden count, and there are no `input_ids`.
        """
        counts = num_items_in_batch if isinstance(num_items_in_batch, Mapping) else {"kmers": num_items_in_batch}
        outputs = self.bert(input_ids, attention_mask=attention_mask, return_dict=True, **kwargs)
        hidden = outputs.last_hidden_state
        loss = logits = correct = None
        if labels is None:
            logits = self.head(hidden)
        else:
            index, wanted = chosen_rows(labels, predicted)
            chosen = hidden.flatten(0, 1)
            weights = None if self.config.loss_positions == "masked" else self.weights(input_ids).flatten()
            if index is not None:
                chosen = chosen.index_select(0, index)
                weights = None if weights is None else weights.index_select(0, index)
            loss, correct = self.score(chosen, wanted, weights, counts["kmers"])
        if profile is not None:
            apart = self.apart(hidden, attention_mask, profile, counts.get("profiles"))
            loss = apart if loss is None else loss + apart
        return BarcodeBertMaskedLMOutput(
            loss=loss,
            logits=logits,
            correct=correct,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def apart(
        self, hidden: Tensor, attention_mask: Tensor | None, profile: Tensor, count: Tensor | int | None
    ) -> Tensor:
        """Give the loss of the profiles: how far the means point elsewhere."""
        mean = masked_mean(hidden, hidden.new_ones(hidden.shape[:2]) if attention_mask is None else attention_mask)
        distances = 1 - functional.cosine_similarity(mean.float(), profile.float())
        loss: Tensor = self.config.profile_weight * distances.sum() / (len(profile) if count is None else count)
        return loss

    def weights(self, input_ids: Tensor | None) -> Tensor:
        """Give what each position weighs where visible ones count too, `(batch, length)`, float32."""
        if input_ids is None:
            raise ValueError(
                f"loss_positions={self.config.loss_positions!r} needs input_ids: they say which positions are hidden"
            )
        share = self.config.masked_weight
        return torch.where(input_ids == self.config.layout.mask, 2.0 * share, 2.0 * (1 - share))


class BarcodeBertForSequenceClassification(BarcodeBertPreTrainedModel):
    """Names for barcodes: the mean over the attended positions, dropout, and one Linear per rank of `config.labels`.

    Examples:
        >>> config = BarcodeBertConfig(kmer_size=2, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        ...                            labels={"order": ["Diptera", "Hymenoptera"]})
        >>> BarcodeBertForSequenceClassification(config)(torch.tensor([[3, 4, 5]])).logits.shape
        torch.Size([1, 2])
    """

    def __init__(self, config: BarcodeBertConfig) -> None:
        super().__init__(config)
        if not config.labels:
            raise ValueError(
                "a classifier needs the names of its classes: give labels={'species': ['Aus bus', ...]} to the "
                "configuration, or to from_pretrained to put a fresh head on a pretrained encoder"
            )
        self.bert = BarcodeBertModel(config)
        dropout = config.classifier_dropout
        self.dropout = nn.Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        self.classifier = nn.ModuleDict(
            {rank: nn.Linear(config.hidden_size, len(names)) for rank, names in config.labels.items()}
        )
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Mapping[str, Tensor] | Tensor | None = None,
        num_items_in_batch: Mapping[str, Tensor | int] | Tensor | int | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Score the classes of each rank.

        Args:
            input_ids: `(batch, length)`.
            attention_mask: `(batch, length)`, 1 where there is a token; None for everywhere.
            labels: rank → `(batch,)`, int64, -100 where the name is missing; with one rank also the tensor alone.
            num_items_in_batch: rank → by what the sum of its losses is divided: the names of all processes and
                accumulated batches; one number serves all ranks. None: the names in this batch.
            **kwargs: what `BertModel` takes.

        Returns:
            `logits` as `(batch, classes)` with one rank, else as rank → `(batch, classes)`; with labels also `loss`,
            the average over the ranks of their cross-entropies.

        Raises:
            ValueError: labels for a rank without a head, or a bare tensor with several ranks.
        """
        if self.config.pooled_positions and input_ids is not None:
            input_ids, attention_mask = self.fill_up(input_ids, attention_mask)
        outputs = self.bert(input_ids, attention_mask=attention_mask, return_dict=True, **kwargs)
        hidden = outputs.last_hidden_state
        if self.config.pooled_positions:
            pooled = hidden.mean(1)
        else:
            pooled = masked_mean(
                hidden, hidden.new_ones(hidden.shape[:2]) if attention_mask is None else attention_mask
            )
        pooled = self.dropout(pooled)
        logits = {rank: head(pooled) for rank, head in self.classifier.items()}
        loss = None if labels is None else self.loss(logits, labels, num_items_in_batch)
        return SequenceClassifierOutput(
            loss=loss,
            logits=next(iter(logits.values())) if len(logits) == 1 else logits,  # type: ignore[arg-type]
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def fill_up(self, input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Pad to `pooled_positions`, over which the authors' fine-tuned classifiers averaged, padding included."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        missing = max(0, (self.config.pooled_positions or 0) - input_ids.shape[1])
        filled = input_ids.masked_fill(mask == 0, self.config.layout.pad)
        return functional.pad(filled, (0, missing), value=self.config.layout.pad), functional.pad(mask, (0, missing))

    def loss(
        self,
        logits: Mapping[str, Tensor],
        labels: Mapping[str, Tensor] | Tensor,
        counts: Mapping[str, Tensor | int] | Tensor | int | None,
    ) -> Tensor:
        """Average the cross-entropies of the ranks; rows without a name at a rank do not count there."""
        if isinstance(labels, Tensor):
            if len(logits) != 1:
                raise ValueError(f"with the ranks {', '.join(logits)}, labels are given as rank → tensor")
            labels = dict.fromkeys(logits, labels)
        if unknown := sorted(set(labels) - set(logits)):
            raise ValueError(f"labels for {', '.join(unknown)}, but the heads are {', '.join(logits)}")
        losses = []
        for rank, target in labels.items():
            total = functional.cross_entropy(logits[rank].float(), target, reduction="sum", ignore_index=IGNORED)
            count = counts[rank] if isinstance(counts, Mapping) else counts
            losses.append(total / ((target != IGNORED).sum().clamp(min=1) if count is None else count))
        return torch.stack(losses).sum() / len(logits)
