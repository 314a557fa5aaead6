namespace TrtTools.Ops;

/// <summary>Classical machine learning (ai.onnx.ml), training, and the standard's preview domains. They run on the host or not at all.</summary>
internal static class MachineLearning
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("ArrayFeatureExtractor", "1", ComputeForm.HostOnly, "2", "1", domain: "ai.onnx.ml"),
        new OperatorDefinition("Binarizer", "1", ComputeForm.HostOnly, "1", "1", "threshold:float=0.0", domain: "ai.onnx.ml").Of(ElementClass.Numeric),
        new OperatorDefinition("CastMap", "1", ComputeForm.HostOnly, "1", "1", "cast_to:string=TO_FLOAT map_form:string=DENSE max_map:int=1", domain: "ai.onnx.ml"),
        new OperatorDefinition("CategoryMapper", "1", ComputeForm.HostOnly, "1", "1",
            "cats_int64s:ints cats_strings:strings default_int64:int=-1 default_string:string=_Unused", domain: "ai.onnx.ml"),
        new OperatorDefinition("DictVectorizer", "1", ComputeForm.HostOnly, "1", "1", "int64_vocabulary:ints string_vocabulary:strings", domain: "ai.onnx.ml"),
        new OperatorDefinition("FeatureVectorizer", "1", ComputeForm.HostOnly, "1-*", "1", "inputdimensions:ints", domain: "ai.onnx.ml").Of(ElementClass.Numeric),
        new OperatorDefinition("Imputer", "1", ComputeForm.HostOnly, "1", "1",
            "imputed_value_floats:floats imputed_value_int64s:ints replaced_value_float:float=0.0 replaced_value_int64:int=0", domain: "ai.onnx.ml")
            .Of(ElementClass.Numeric),
        new OperatorDefinition("LabelEncoder", "1 2 4", ComputeForm.HostOnly, "1", "1",
            "classes_strings:strings@-1 default_float:float=-0.0@2- default_int64:int=-1 default_string:string=_Unused default_tensor:tensor@4- "
            + "keys_floats:floats@2- keys_int64s:ints@2- keys_strings:strings@2- keys_tensor:tensor@4- values_floats:floats@2- values_int64s:ints@2- "
            + "values_strings:strings@2- values_tensor:tensor@4-", domain: "ai.onnx.ml"),
        new OperatorDefinition("LinearClassifier", "1", ComputeForm.HostOnly, "1", "2",
            "classlabels_ints:ints classlabels_strings:strings coefficients:floats! intercepts:floats multi_class:int=0 post_transform:string=NONE", domain: "ai.onnx.ml")
            .Of(ElementClass.Numeric),
        new OperatorDefinition("LinearRegressor", "1", ComputeForm.HostOnly, "1", "1", "coefficients:floats intercepts:floats post_transform:string=NONE targets:int=1", domain: "ai.onnx.ml")
            .Of(ElementClass.Numeric),
        new OperatorDefinition("Normalizer", "1", ComputeForm.HostOnly, "1", "1", "norm:string=MAX", domain: "ai.onnx.ml").Of(ElementClass.Numeric),
        new OperatorDefinition("OneHotEncoder", "1", ComputeForm.HostOnly, "1", "1", "cats_int64s:ints cats_strings:strings zeros:int=1", domain: "ai.onnx.ml"),
        new OperatorDefinition("SVMClassifier", "1", ComputeForm.HostOnly, "1", "2",
            "classlabels_ints:ints classlabels_strings:strings coefficients:floats kernel_params:floats kernel_type:string=LINEAR post_transform:string=NONE "
            + "prob_a:floats prob_b:floats rho:floats support_vectors:floats vectors_per_class:ints", domain: "ai.onnx.ml")
            .Of(ElementClass.Numeric),
        new OperatorDefinition("SVMRegressor", "1", ComputeForm.HostOnly, "1", "1",
            "coefficients:floats kernel_params:floats kernel_type:string=LINEAR n_supports:int=0 one_class:int=0 post_transform:string=NONE rho:floats "
            + "support_vectors:floats", domain: "ai.onnx.ml")
            .Of(ElementClass.Numeric),
        new OperatorDefinition("Scaler", "1", ComputeForm.HostOnly, "1", "1", "offset:floats scale:floats", domain: "ai.onnx.ml").Of(ElementClass.Numeric),
        new OperatorDefinition("TreeEnsemble", "5", ComputeForm.HostOnly, "1", "1",
            "aggregate_function:int=1 leaf_targetids:ints! leaf_weights:tensor! membership_values:tensor n_targets:int nodes_falseleafs:ints! "
            + "nodes_falsenodeids:ints! nodes_featureids:ints! nodes_hitrates:tensor nodes_missing_value_tracks_true:ints nodes_modes:tensor! nodes_splits:tensor! "
            + "nodes_trueleafs:ints! nodes_truenodeids:ints! post_transform:int=0 tree_roots:ints!", domain: "ai.onnx.ml")
            .Of(ElementClass.Float),
        new OperatorDefinition("TreeEnsembleClassifier", "1 3", ComputeForm.HostOnly, "1", "2",
            "base_values:floats base_values_as_tensor:tensor@3- class_ids:ints class_nodeids:ints class_treeids:ints class_weights:floats "
            + "class_weights_as_tensor:tensor@3- classlabels_int64s:ints classlabels_strings:strings nodes_falsenodeids:ints nodes_featureids:ints "
            + "nodes_hitrates:floats nodes_hitrates_as_tensor:tensor@3- nodes_missing_value_tracks_true:ints nodes_modes:strings nodes_nodeids:ints nodes_treeids:ints "
            + "nodes_truenodeids:ints nodes_values:floats nodes_values_as_tensor:tensor@3- post_transform:string=NONE", domain: "ai.onnx.ml")
            .Deprecated(5, ""),
        new OperatorDefinition("TreeEnsembleRegressor", "1 3", ComputeForm.HostOnly, "1", "1",
            "aggregate_function:string=SUM base_values:floats base_values_as_tensor:tensor@3- n_targets:int nodes_falsenodeids:ints nodes_featureids:ints "
            + "nodes_hitrates:floats nodes_hitrates_as_tensor:tensor@3- nodes_missing_value_tracks_true:ints nodes_modes:strings nodes_nodeids:ints nodes_treeids:ints "
            + "nodes_truenodeids:ints nodes_values:floats nodes_values_as_tensor:tensor@3- post_transform:string=NONE target_ids:ints target_nodeids:ints "
            + "target_treeids:ints target_weights:floats target_weights_as_tensor:tensor@3-", domain: "ai.onnx.ml")
            .Deprecated(5, ""),
        new OperatorDefinition("ZipMap", "1", ComputeForm.HostOnly, "1", "1", "classlabels_int64s:ints classlabels_strings:strings", domain: "ai.onnx.ml"),
        new OperatorDefinition("FlexAttention", "1", ComputeForm.Composite, "3", "1", "prob_mod:graph scale:float score_mod:graph softmax_precision:int", domain: "ai.onnx.preview")
            .Of(ElementClass.Float).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Adagrad", "1", ComputeForm.Composite, "3-*", "1-*", "decay_factor:float=0.0 epsilon:float=0.0 norm_coefficient:float=0.0", domain: "ai.onnx.preview.training")
            .Of(ElementClass.Float),
        new OperatorDefinition("Adam", "1", ComputeForm.Composite, "3-*", "1-*",
            "alpha:float=0.9 beta:float=0.999 epsilon:float=0.0 norm_coefficient:float=0.0 norm_coefficient_post:float=0.0", domain: "ai.onnx.preview.training")
            .Of(ElementClass.Float),
        new OperatorDefinition("Gradient", "1", ComputeForm.Composite, "1-*", "1-*", "xs:strings! y:string! zs:strings", domain: "ai.onnx.preview.training"),
        new OperatorDefinition("Momentum", "1", ComputeForm.Composite, "3-*", "1-*", "alpha:float! beta:float! mode:string! norm_coefficient:float!", domain: "ai.onnx.preview.training")
            .Of(ElementClass.Float),
    ];
}
